"""Records that pass every check and then break the work on them: a mistake of ours, kept from stopping a partition."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from pipeline.contract.reject import Rejected
from pipeline.flow.values import Work
from pipeline.ledger.database import cause_of

#: A worker that meets more of them has a mistake that is not about single records, and ends.
MOST = 20
#: SQLSTATE classes: a value the database can't hold, a constraint it breaks, a limit it exceeds.
_OF_VALUES = ("22", "23", "54")
_OF_CODE = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def may_be_a_records(error: Exception) -> bool:
    """Whether an error can come from what a record holds, so that the others of its slice may be without it."""
    cause = cause_of(error)
    if isinstance(cause, psycopg.Error):
        return (cause.sqlstate or "").startswith(_OF_VALUES)
    return isinstance(cause, _OF_CODE)


def refusal(error: Exception) -> Rejected:
    """Why the record is refused: the kind of error, and not its text, which can hold what the record holds."""
    cause = cause_of(error)
    state = f" {cause.sqlstate}" if isinstance(cause, psycopg.Error) and cause.sqlstate else ""
    return Rejected("unprocessable", f"{type(cause).__name__}{state}")


def halves(works: Sequence[Work]) -> list[list[Work]]:
    """What to try one after the other instead of works that failed together; nothing instead of a single record."""
    if len(works) > 1:
        return [[work] for work in works]
    [(partition, records, end)] = works
    middle = len(records) // 2
    if not middle:
        return []
    return [
        [Work(partition, records[:middle], records[middle].offset)],
        [Work(partition, records[middle:], end)],
    ]
