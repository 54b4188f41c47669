"""Poison records: they pass every check and then break the work on them. They must not stop their partition."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from pipeline.connections.database import cause_of
from pipeline.contract.reject import Rejected
from pipeline.flow.slices import Slice
from pipeline.topics import EXCHANGE

#: Number of poison records that a worker refuses. One that meets more has a fault that is not about single records,
#: and ends.
MAX_POISON_RECORDS = 20
#: SQLSTATE classes: a value that the database cannot hold, a constraint that it breaks, a limit that it exceeds.
_ABOUT_VALUES = ("22", "23", "54")
_ABOUT_CODE = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def may_be_poison(error: Exception) -> bool:
    """Return whether an error may come from what a record holds, so that the other records of its slice may be fine."""
    cause = cause_of(error)
    if isinstance(cause, psycopg.Error):
        return (cause.sqlstate or "").startswith(_ABOUT_VALUES)
    return isinstance(cause, _ABOUT_CODE)


def poison_rejection(error: Exception) -> Rejected:
    """Return why the record is refused: the error's class, and not its text, which can hold what the record holds."""
    cause = cause_of(error)
    state = f" {cause.sqlstate}" if isinstance(cause, psycopg.Error) and cause.sqlstate else ""
    return Rejected("unprocessable", f"{type(cause).__name__}{state}")


def bisect(slices: Sequence[Slice]) -> list[list[Slice]]:
    """Return smaller groups to be tried one after the other instead of slices that failed together.

    What other partitions tell is not tried in parts. Returns nothing for a single record.
    """
    exchanged = [each for each in slices if each.topic == EXCHANGE]
    if exchanged:
        return [exchanged, [each for each in slices if each.topic != EXCHANGE]]
    if len(slices) > 1:
        return [[each] for each in slices]
    [whole] = slices
    return [[part] for part in whole.parts(2)] if len(whole.records) > 1 else []
