"""Visits from a CSV file, for a history that the pipeline has not seen."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InvalidInput

_COLUMNS = ("customer", "at")


class Visits(NamedTuple):
    """Visits: who, as numbers from 0, when (epoch milliseconds), and the amount, if the file has amounts."""

    customers: NDArray[np.int64]
    at_ms: NDArray[np.int64]
    amounts: NDArray[np.float64] | None


def read_visits(path: Path) -> Visits:
    """Read a CSV file with the columns customer, at (RFC 3339, or a date, which is its midnight in UTC) and, if the
    visits were purchases, amount.

    Raises InvalidInput, which names the line.
    """
    numbers: dict[str, int] = {}
    customers: list[int] = []
    times: list[int] = []
    amounts: list[float] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if missing := [column for column in _COLUMNS if column not in (rows.fieldnames or ())]:
                raise InvalidInput(
                    f"{path} has no column {missing[0]}. The first line has to name {' and '.join(_COLUMNS)}."
                )
            for row in rows:
                customers.append(numbers.setdefault(_customer(path, rows.line_num, row), len(numbers)))
                times.append(time_of(path, rows.line_num, row["at"]))
                if "amount" in row:
                    amounts.append(_amount(path, rows.line_num, row["amount"]))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{path} can't be read as CSV: {error}.") from None
    if not times:
        raise InvalidInput(f"{path} has no visits.")
    return Visits(
        np.array(customers, np.int64), np.array(times, np.int64), np.array(amounts, np.float64) if amounts else None
    )


def _customer(path: Path, line: int, row: dict[str, str]) -> str:
    if not row["customer"]:
        raise InvalidInput(f"{path}, line {line}: the customer is empty.")
    return row["customer"]


def time_of(path: Path, line: int, written: str | None) -> int:
    """Return a time in epoch milliseconds, in UTC if it has no offset. Raises InvalidInput, which names the line."""
    try:
        at = datetime.fromisoformat(written or "")
    except ValueError:
        raise InvalidInput(
            f"{path}, line {line}: {written!r} is no time. Write 1997-01-18 or 1997-01-18T09:30:00Z."
        ) from None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def _amount(path: Path, line: int, written: str | None) -> float:
    try:
        amount = float(written or "")
    except ValueError:
        amount = float("nan")
    if not np.isfinite(amount):
        raise InvalidInput(f"{path}, line {line}: {written!r} is no amount. Write 29.33.")
    return amount
