"""Reading rows back from their tables, by their declarations."""

from __future__ import annotations

from typing import Any, TypeVar

from pipeline.ledger.column_types import postgres_type
from pipeline.rows import Table

R = TypeVar("R")


def select_list(table: Table[Any]) -> str:
    """Return what stands between SELECT and FROM to read the declared columns, under their own names."""
    return ", ".join([f"{postgres_type(column).select(column.name)} AS {column.name}" for column in table.columns])


def load_row(table: Table[R], selected: Any) -> R:
    """Return the row of what `select_list` has selected."""
    values = {}
    for column in table.columns:
        value, load = getattr(selected, column.name), postgres_type(column).load
        values[column.name] = value if load is None or value is None else load(value, selected)
    return table.row(**values)
