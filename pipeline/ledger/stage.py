"""Many rows at once: COPY into a temporary table, and from there into the table it stands for.

COPY takes a tenth of the worker's time that arrays as parameters would, since psycopg writes its rows in C.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.ledger.moments import sql_moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A table that rows are put into, updating those whose key is there.

    `columns` are those of the rows, name → type; `moments` name the bigints among them that hold epoch milliseconds and
    stand for timestamps; `added` name those that are added to what is there. Each row gets its `partition` besides.
    """

    table: str
    columns: Mapping[str, str]
    key: Sequence[str]
    moments: Sequence[str] = ()
    added: Sequence[str] = ()
    create: str = field(init=False)
    copy: str = field(init=False)
    move: TextClause = field(init=False)

    def __post_init__(self) -> None:
        """Write the statements once."""
        stage, names = f"stage_{self.table}", ", ".join(self.columns)
        values = ", ".join(sql_moment(name) if name in self.moments else name for name in self.columns)
        change = ", ".join(
            f"{name} = t.{name} + EXCLUDED.{name}" if name in self.added else f"{name} = EXCLUDED.{name}"
            for name in (*self.columns, "partition")
            if name not in self.key
        )
        typed = ", ".join(f"{name} {kind}" for name, kind in self.columns.items())
        object.__setattr__(self, "create", f"CREATE TEMPORARY TABLE {stage} ({typed}) ON COMMIT DELETE ROWS")
        object.__setattr__(self, "copy", f"COPY {stage} ({names}) FROM STDIN")
        object.__setattr__(
            self,
            "move",
            text(
                f"INSERT INTO {self.table} AS t ({names}, partition) "
                f"SELECT {values}, CAST(:partition AS integer) FROM {stage} "
                f"ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {change}"
            ),
        )

    async def put(self, connection: AsyncConnection, partition: int, rows: Iterable[Sequence[Any]]) -> None:
        """Put rows into the table, in the transaction that `connection` is in; nothing happens without rows."""
        if not rows:
            return
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        async with raw.cursor() as cursor, cursor.copy(self.copy) as copy:
            for row in rows:
                await copy.write_row(row)
        await connection.execute(self.move, {"partition": partition})
