"""CSV to touchpoints: a header with the touchpoint's field names, one row each, an empty cell for what is absent."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson

from pipeline.contract.reject import Rejected
from pipeline.contract.text import REQUIRED, from_record, unknown_field
from pipeline.errors import InvalidInput
from pipeline.touchpoint import KEY_FIELDS, Touchpoint

#: A file with more is no table of touchpoints; looking at each would take long.
MAX_COLUMNS = 1_000
#: Number of columns that an error names, and number of characters shown of each.
_NAMED, _SHOWN = 10, 40
_WHOLE = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class _NotThat(ValueError):
    """A cell that does not hold what its column is for."""


class Column(NamedTuple):
    """Where a column's cells go (`group` is feedback, attributes or identifiers, or empty) and how they are read."""

    group: str
    name: str
    read: Callable[[str], object]


def columns(header: Sequence[str]) -> tuple[Column, ...]:
    """Return what the columns of a CSV file hold, by its header.

    Besides the fields of a touchpoint: `feedback.instrument`, `feedback.score`, `feedback.verbatim`, `attributes.x` and
    `identifiers.x`. Raises InvalidInput that names the columns that are unknown, missing or there twice.
    """
    if len(header) > MAX_COLUMNS:
        raise InvalidInput(f"The header has {len(header):,} columns; at most {MAX_COLUMNS:,} are read.")
    names = [name.strip() for name in header]
    if len(names) == 1 and (separator := re.search(r"[;\t|]", names[0])):
        raise InvalidInput(f"The columns are separated by {separator[0]!r}; they must be separated by commas.")
    problems = []
    if unknown := [name for name in names if _column(name) is None]:
        problems.append("unknown columns: " + _listed("; ", [_say_unknown(name) for name in unknown[: _NAMED + 1]]))
    if twice := sorted(name for name, times in Counter(names).items() if times > 1):
        problems.append("columns that are there twice: " + _listed(", ", [name[:_SHOWN] for name in twice]))
    if missing := [name for name in REQUIRED if name not in names]:
        problems.append(f"missing columns: {', '.join(missing)}")
    if not any(name.split(".")[0] in KEY_FIELDS for name in names):
        problems.append("no column that names the customer: customer_id, anonymous_id or identifiers.email")
    if problems:
        raise InvalidInput("The CSV header does not fit a touchpoint. " + ". ".join(map(_capital, problems)) + ".")
    return tuple([column for name in names if (column := _column(name)) is not None])


def from_csv_row(columns: Sequence[Column], row: Sequence[str]) -> Touchpoint | Rejected:
    """Return one row as a touchpoint, or why it is none. Values are not yet checked (`validate.check`)."""
    if len(row) != len(columns):
        return Rejected("undecodable", f"the row has {len(row)} cells, the header {len(columns)}")
    record: dict[str, Any] = {}
    for (group, name, read), cell in zip(columns, row, strict=True):
        if not cell:
            continue
        try:
            value = read(cell)
        except _NotThat as wrong:
            return Rejected("invalid_value", f"{group}{'.' if group else ''}{name} {wrong}")
        if name == "identifiers" and not group:
            if not isinstance(value, list):
                return Rejected("invalid_value", "identifiers is no JSON list")
            record.setdefault(name, []).extend(value)
        elif not group:
            record[name] = value
        elif group == "identifiers":
            record.setdefault(group, []).append({"type": name, "value": value})
        else:
            record.setdefault(group, {})[name] = value
    return from_record(record)


def _column(name: str) -> Column | None:
    if name in _READERS:
        return Column("", name, _READERS[name])
    group, dot, rest = name.partition(".")
    if not dot or not rest:
        return None
    if group == "feedback" and rest in ("instrument", "score", "verbatim"):
        return Column(group, rest, _number if rest == "score" else _same)
    return Column(group, rest, _same) if group in ("attributes", "identifiers") else None


def _say_unknown(name: str) -> str:
    if name in ("feedback", "attributes"):
        return f"{name!r}; write {'feedback.instrument and feedback.score' if name == 'feedback' else 'attributes.x'}"
    return "one without a name" if not name else unknown_field(name).removeprefix("unknown field ")


def _listed(comma: str, names: Sequence[str]) -> str:
    return comma.join(names[:_NAMED]) + (f"{comma}…" if len(names) > _NAMED else "")


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _same(cell: str) -> str:
    return cell


def _whole(cell: str) -> int:
    if not _WHOLE.fullmatch(cell):
        raise _NotThat("must be a whole number")
    return int(cell)


def _number(cell: str) -> float:
    if not _NUMBER.fullmatch(cell):
        raise _NotThat("must be a number, with a point for decimals")
    return float(cell)


def _time(cell: str) -> int | str:
    return int(cell) if _WHOLE.fullmatch(cell) else cell


def _list(cell: str) -> object:
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError:
        raise _NotThat('must be a JSON list; or use columns such as "identifiers.email"') from None


_READERS: dict[str, Callable[[str], object]] = {
    **{name: _same for name in Touchpoint._fields if name not in ("feedback", "attributes")},
    **dict.fromkeys(("occurred_at", "sent_at", "due_at"), _time),
    **dict.fromkeys(("wait_ms", "duration_ms", "amount_minor", "sequence"), _whole),
    "identifiers": _list,
}
