"""Visits from a CSV file, for a history that the pipeline has not seen."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.cli.fit.csv_file import CsvRow, rows
from pipeline.errors import InvalidInput


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
    for row in rows(path, ("customer", "at")):
        customers.append(numbers.setdefault(row.customer, len(numbers)))
        times.append(row.at_ms)
        if "amount" in row.values:
            amounts.append(_amount(row))
    if not times:
        raise InvalidInput(f"{path} has no visits.")
    return Visits(
        np.array(customers, np.int64), np.array(times, np.int64), np.array(amounts, np.float64) if amounts else None
    )


def _amount(row: CsvRow) -> float:
    written = row.values["amount"]
    try:
        amount = float(written or "")
    except ValueError:
        amount = float("nan")
    if not np.isfinite(amount):
        raise row.invalid(f"{written!r} is no amount. Write 29.33.")
    return amount
