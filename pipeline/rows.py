"""Rows of results: each column of a table and of its topic, declared once.

A row is a named tuple whose fields are annotated with the column's type:

    class ExampleRow(NamedTuple):
        customer: Annotated[str, TEXT]
        closed_at: Annotated[int | None, MOMENT]
        weight: Annotated[int, NUMERIC, INTERNAL]

What writes a row to Postgres, reads it back, and encodes it for Kafka follows from this declaration. The migrations,
the Avro schemas in `schemas/` and the audit are stated separately; tests compare them with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from types import NoneType
from typing import Any, Generic, NamedTuple, TypeVar, get_args, get_type_hints

R = TypeVar("R")


class ColumnType(NamedTuple):
    """The type of a column's values.

    `ledger.column_types` says how Postgres holds it, `publishing.serializers` how Avro does. `symbols` are the values
    of an enumeration, which is a text in Postgres.
    """

    name: str
    symbols: tuple[str, ...] = ()


#: A string.
TEXT = ColumnType("text")
#: A string that holds a UUID.
UUID = ColumnType("uuid")
#: Whole numbers of up to 32 bits, of up to 64 bits, and of any size.
INTEGER, BIGINT, NUMERIC = ColumnType("integer"), ColumnType("bigint"), ColumnType("numeric")
FLOAT = ColumnType("float")
BOOLEAN = ColumnType("boolean")
#: Epoch milliseconds; a timestamp in Postgres.
MOMENT = ColumnType("moment")
BYTES = ColumnType("bytes")
#: channel → count.
CHANNEL_COUNTS = ColumnType("channel counts")
#: name → whole number of any size.
NUMBERS = ColumnType("numbers")
#: A journey's steps (`journey.steps.Steps`); their keys stand in the column `keys`.
STEPS = ColumnType("steps")
#: Pairs of a text and a whole number of any size, in order of the texts.
WEIGHTS = ColumnType("weights")
#: A sequence of `cases.row.StageReached`.
STAGES = ColumnType("stages")
#: A sequence of `scores.reason.Reason`.
REASONS = ColumnType("reasons")


def enumeration(*symbols: str) -> ColumnType:
    """Return the type of a column that holds one of these texts."""
    return ColumnType("enumeration", symbols)


class _Internal:
    """Marks a column that the table holds and the topic does not."""


INTERNAL = _Internal()


class Column(NamedTuple):
    """A column's declaration; `is_published` says whether the topic's records have it, too."""

    name: str
    type: ColumnType
    is_nullable: bool
    is_published: bool


@dataclass(frozen=True)
class Table(Generic[R]):
    """A table of the ledger whose rows are of the class `row`.

    Rows with the same `key` replace each other, except that columns named in `added` are added to what is stored. The
    tables have a further column `partition` before the declared ones: the partition of the customer.
    """

    name: str
    row: type[R]
    key: tuple[str, ...]
    added: tuple[str, ...] = ()

    @cached_property
    def columns(self) -> Sequence[Column]:
        """Return the declared columns, in the order of the row's fields."""
        hints = get_type_hints(self.row, include_extras=True)
        return tuple([_column(name, hints[name]) for name in self.row._fields])  # type: ignore[attr-defined]

    @cached_property
    def published(self) -> Sequence[Column]:
        """Return the columns that the topic's records have."""
        return tuple([column for column in self.columns if column.is_published])


def _column(name: str, hint: Any) -> Column:
    value, *marks = get_args(hint)
    [column_type] = [mark for mark in marks if isinstance(mark, ColumnType)]
    return Column(name, column_type, NoneType in get_args(value), INTERNAL not in marks)
