"""How many keys are shared at a moment, and how many keys customers have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.ledger.moments import sql_moment
from pipeline.ledger.session import Session

#: A customer with more keys than this has many.
MANY_KEYS = 50

_NOW = sql_moment("CAST(:now AS bigint)")
# Goes by the index identity_owner_shared, which holds shared keys alone.
_SHARED = text(f"""
    SELECT why, count(*) AS n FROM identity_owner
    WHERE why IN ('shared', 'overfull') AND partition = ANY(:partitions) AND until >= {_NOW} AND since <= {_NOW}
    GROUP BY why
""")
# Goes by the index identity_owner_by_owner alone, in its order: owner by owner. A key has one holder at a moment.
_OF_CUSTOMERS = text(f"""
    SELECT coalesce(max(n), 0) AS most, count(*) FILTER (WHERE n > :many) AS many
    FROM (
        SELECT count(*) AS n FROM identity_owner
        WHERE owner <> key AND since <= {_NOW} AND until >= {_NOW} GROUP BY owner
    ) AS held
""")


class CustomersKeys(NamedTuple):
    """The largest number of keys that one customer holds directly, and the number of customers with more
    than `MANY_KEYS`.
    """

    most: int
    many: int


class KeyReader(Protocol):
    """Counts keys beside the work."""

    async def shared(self, partitions: Sequence[int], now_ms: int) -> Mapping[str, int]:
        """Return how many keys of partitions nobody holds at a moment since too many use them, by why."""

    async def of_customers(self, now_ms: int) -> CustomersKeys:
        """Return how many keys customers hold at a moment, over all partitions."""

    async def close(self) -> None:
        """Let go of the connection."""


class PostgresKeyReader:
    """Implements `KeyReader` on a connection of its own, without a time-out; errors of the database go through."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def shared(self, partitions: Sequence[int], now_ms: int) -> Mapping[str, int]:
        """Return how many keys of partitions are shared at a moment, by why."""

        async def work(connection: AsyncConnection) -> Mapping[str, int]:
            rows = await connection.execute(_SHARED, {"partitions": list(partitions), "now": now_ms})
            return {row.why: row.n for row in rows}

        return await self._session.run(work)

    async def of_customers(self, now_ms: int) -> CustomersKeys:
        """Return how many keys customers hold at a moment."""

        async def work(connection: AsyncConnection) -> CustomersKeys:
            await connection.execute(text("SET statement_timeout = 0"))  # it reads all partitions' keys
            return CustomersKeys(*(await connection.execute(_OF_CUSTOMERS, {"many": MANY_KEYS, "now": now_ms})).one())

        return await self._session.run(work)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._session.close()
