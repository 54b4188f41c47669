"""Reading rows back from their tables, by their declarations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from pipeline.ledger.column_types import postgres_type
from pipeline.rows import Table

R = TypeVar("R")


def select_list(table: Table[Any]) -> str:
    """Return what stands between SELECT and FROM to read the declared columns, under their own names."""
    return ", ".join([f"{postgres_type(column).select(column.name)} AS {column.name}" for column in table.columns])


def load_row(table: Table[R], selected: Any) -> R:
    """Return the row of what `select_list` has selected."""
    values = {column.name: getattr(selected, column.name) for column in table.columns}
    for name, load in _loaders(table):
        if values[name] is not None:
            values[name] = load(values[name], selected)
    return table.row(**values)


@lru_cache
def _loaders(table: Table[Any]) -> Sequence[tuple[str, Callable[[Any, Any], Any]]]:
    """Return the columns whose values Postgres gives in another form, and what turns them into ours."""
    loads = [(column.name, postgres_type(column).load) for column in table.columns]
    return [(name, load) for name, load in loads if load is not None]
