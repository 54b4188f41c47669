"""What the policy says of cases: for each type what closes a case, and when silence does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pipeline.durations import duration_ms

_MAX_DAYS = 3_660
_FIELDS = {"closed_by", "closes_after"}


class CasePolicy(NamedTuple):
    """What holds for cases of a type instead of what `schemas/cases.toml` says; None: that does.

    `closed_by` are stages; `closes_after_ms` is the time after the last touchpoint, in milliseconds.
    """

    closed_by: tuple[str, ...] | None = None
    closes_after_ms: int | None = None


def parse(tables: object) -> dict[str, CasePolicy]:
    """Return the policy by type, from the tables [case.TYPE]; raises ValueError that says what is wrong where."""
    if not isinstance(tables, Mapping):
        raise ValueError("case must be tables, as [case.TYPE]")
    return {str(name): _policy(f"[case.{name}]", table) for name, table in tables.items()}


def _policy(place: str, table: object) -> CasePolicy:
    if not isinstance(table, Mapping) or not table or set(table) - _FIELDS:
        raise ValueError(f"{place} must hold closed_by, closes_after or both, and nothing else")
    stages = table.get("closed_by")
    if stages is not None and (not isinstance(stages, list) or not all(isinstance(stage, str) for stage in stages)):
        raise ValueError(f"{place} closed_by must be a list of stages")
    return CasePolicy(
        None if stages is None else tuple(stages),
        duration_ms(table["closes_after"], f"{place} closes_after", _MAX_DAYS) if "closes_after" in table else None,
    )
