"""Many rows at once, from an array for each column.

They need no temporary table, as COPY would.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.ledger.arrays import Array, Kind


class Upsert:
    """Puts rows into a table, and updates those whose `key` is there; a part of `commit`'s one statement, as `sql`.

    `columns` are what each row has, in this order, name → kind; `added` name those that are added to what is there.
    Nothing is put in unless the relation `going` has a row.
    """

    def __init__(
        self, table: str, columns: Mapping[str, Kind], key: Sequence[str], *, added: Sequence[str] = ()
    ) -> None:
        self._kinds = {f"{table}.{name}": kind for name, kind in columns.items()}
        # functions that return sets, side by side in a SELECT, go row by row, and in step
        values = ", ".join(
            f"unnest(%({parameter})b::{kind.sent}[])::{kind.sql}" for parameter, kind in self._kinds.items()
        )
        change = ", ".join(
            f"{name} = t.{name} + EXCLUDED.{name}" if name in added else f"{name} = EXCLUDED.{name}"
            for name in columns
            if name not in key
        )
        self.sql = (
            f"INSERT INTO {table} AS t ({', '.join(columns)}) SELECT {values} FROM going "
            f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {change}"
        )

    def parameters(self, rows: Iterable[Sequence[Any]]) -> dict[str, Array]:
        """What the statement needs for these rows."""
        values = list(zip(*rows, strict=True)) or [()] * len(self._kinds)
        return {name: kind.array(column) for (name, kind), column in zip(self._kinds.items(), values, strict=True)}
