"""Many rows at once, from an array for each column. They need no temporary table, as COPY would."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pipeline.ledger import arrays
from pipeline.ledger.arrays import Array
from pipeline.ledger.column_types import array_type
from pipeline.rows import Table


class Upsert:
    """Inserts rows into a table and updates those whose key is there; `sql` is a part of `commit`'s one statement.

    Nothing is inserted unless the relation `going` has a row.
    """

    def __init__(self, table: Table[Any]) -> None:
        self._types = {"partition": arrays.INTEGER} | {column.name: array_type(column) for column in table.columns}
        self._prefix = f"{table.name}."
        # functions that return sets, side by side in a SELECT, go row by row, and in step
        values = ", ".join(
            f"unnest(%({self._prefix}{name})b::{sent.sent}[])::{sent.sql}" for name, sent in self._types.items()
        )
        change = ", ".join(
            f"{name} = t.{name} + EXCLUDED.{name}" if name in table.added else f"{name} = EXCLUDED.{name}"
            for name in self._types
            if name not in table.key
        )
        self.sql = (
            f"INSERT INTO {table.name} AS t ({', '.join(self._types)}) SELECT {values} FROM going "
            f"ON CONFLICT ({', '.join(table.key)}) DO UPDATE SET {change}"
        )

    def arrays(self, by_partition: Iterable[tuple[int, Sequence[Any]]]) -> dict[str, Array]:
        """Return the statement's parameters for rows of the table, which come with their partition."""
        partitions: list[int] = []
        rows: list[Any] = []
        for partition, some in by_partition:
            partitions += [partition] * len(some)
            rows += some
        columns: list[Any] = [partitions]
        columns += zip(*rows, strict=True) if rows else [()] * (len(self._types) - 1)
        return {
            self._prefix + name: sent.array(values)
            for (name, sent), values in zip(self._types.items(), columns, strict=True)
        }
