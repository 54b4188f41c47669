"""Reads a channel's own record field by field. Errors name the field and never quote its value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import wraps

from pipeline.contract.reject import Rejected
from pipeline.contract.times import parse_rfc3339
from pipeline.touchpoint import Touchpoint

Record = Mapping[str, object]
#: Turns a record into its touchpoints (none, if no customer did anything), or a refusal.
Adapter = Callable[[Record], "list[Touchpoint] | Rejected"]

_WHOLE = re.compile(r"\d{1,18}", re.ASCII)


class Bad(ValueError):
    """A field that is wrong, and why."""


def adapter(read: Callable[[Record], list[Touchpoint]]) -> Adapter:
    """Turn a reader that raises Bad into one that returns a refusal."""

    @wraps(read)
    def reading(record: Record) -> list[Touchpoint] | Rejected:
        try:
            return read(record)
        except Bad as bad:
            return Rejected("invalid_value", str(bad))

    return reading


def need(record: Record, name: str) -> str:
    """Return a required text, trimmed and not empty."""
    value = text(record, name)
    if value is None:
        raise Bad(f"{name} is missing")
    return value


def text(record: Record, name: str) -> str | None:
    """Return an optional text (absent, null or empty), trimmed; whole numbers count as texts, as in ids."""
    value = record.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Bad(f"{name} must be a text")
    return str(value).strip() or None


def whole(record: Record, name: str) -> int:
    """Return a whole number from 0, as a number or as digits; raises Bad when it is absent or something else."""
    value = need(record, name)
    if not _WHOLE.fullmatch(value):
        raise Bad(f"{name} must be a whole number from 0")
    return int(value)


def moment(record: Record, name: str) -> int | None:
    """Return an optional RFC 3339 time, in epoch milliseconds."""
    value = text(record, name)
    if value is None:
        return None
    try:
        return parse_rfc3339(value)
    except ValueError as error:
        raise Bad(f"{name} {error}") from None


def need_moment(record: Record, name: str) -> int:
    """Return a required RFC 3339 time, in epoch milliseconds."""
    value = moment(record, name)
    if value is None:
        raise Bad(f"{name} is missing")
    return value


def inner(record: Record, name: str) -> Record:
    """Return a nested object; an empty one when it is absent."""
    value = record.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Bad(f"{name} must be an object")
    return value


def span(later: int, earlier: int, what: str) -> int:
    """Return the milliseconds between two times; raises Bad with `what` when they are in the wrong order."""
    if later < earlier:
        raise Bad(what)
    return later - earlier
