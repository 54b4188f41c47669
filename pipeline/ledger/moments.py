"""Epoch milliseconds and Postgres's timestamps, exactly, both ways."""

from __future__ import annotations

from datetime import UTC, datetime


def sql_ms(column: str) -> str:
    """SQL for a timestamptz as epoch milliseconds."""
    return f"(extract(epoch FROM {column}) * 1000)::bigint"


def sql_moment(expression: str) -> str:
    """SQL for epoch milliseconds as a timestamptz; null stays null."""
    return f"to_timestamp({expression} / 1000.0)"


def moment(ms: int) -> datetime:
    """Epoch milliseconds as a datetime in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def ms(moment: datetime) -> int:
    """Return a datetime with its zone as epoch milliseconds."""
    return round(moment.timestamp() * 1000)
