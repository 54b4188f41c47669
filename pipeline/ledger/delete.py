"""Many rows deleted at once, from an array for each column of their key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.ledger import arrays
from pipeline.ledger.arrays import Array
from pipeline.ledger.column_types import array_type
from pipeline.rows import Table


class Delete:
    """Deletes the rows of a table that have given values in columns; `sql` is a part of `commit`'s one statement.

    Nothing is deleted unless the relation `going` has a row. The rows are found through their index, however little
    there was in the table when the plan was made.
    """

    def __init__(self, table: Table[Any], columns: Sequence[str]) -> None:
        known = {"partition": arrays.INTEGER} | {column.name: array_type(column) for column in table.columns}
        self._types = {name: known[name] for name in columns}
        self._prefix = f"{table.name}.gone.{'.'.join(columns)}."
        values = ", ".join(
            f"unnest(%({self._prefix}{name})b::{sent.sent}[])::{sent.sql} AS {name}"
            for name, sent in self._types.items()
        )
        same = " AND ".join(f"{table.name}.{name} = gone.{name}" for name in columns)
        self.sql = f"""
            DELETE FROM {table.name} WHERE ctid = ANY(ARRAY(
                SELECT there.ctid FROM (SELECT {values}) AS gone
                CROSS JOIN LATERAL (SELECT ctid FROM {table.name} WHERE {same} OFFSET 0) AS there
            )) AND EXISTS (SELECT FROM going)
        """

    def arrays(self, keys: Sequence[Sequence[Any]]) -> dict[str, Array]:
        """Return the statement's parameters for rows with these values."""
        columns = list(zip(*keys, strict=True)) if keys else [()] * len(self._types)
        return {
            self._prefix + name: sent.array(values)
            for (name, sent), values in zip(self._types.items(), columns, strict=True)
        }
