"""How old the outbox's rows are, and how many journeys they hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.ledger.session import Session

_ROWS = text("""
    SELECT partition, commit, cardinality(journeys) AS journeys,
           CAST(greatest(extract(epoch FROM clock_timestamp() - committed_at), 0) AS double precision) AS age_s
    FROM outbox WHERE topic = :topic
""")


class OutboxRow(NamedTuple):
    """A commit that is not known to be published: its number, the number of its journeys, and its age in seconds."""

    partition: int
    commit: int
    journeys: int
    age_s: float


class OutboxReader(Protocol):
    """Reads the outbox beside the work."""

    async def read(self, topic: str) -> Sequence[OutboxRow]:
        """Return the rows of a topic's partitions."""

    async def close(self) -> None:
        """Let go of the connection."""


class PostgresOutboxReader:
    """Implements `OutboxReader` on a connection of its own; errors of the database go through as they are."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def read(self, topic: str) -> Sequence[OutboxRow]:
        """Return the rows of a topic's partitions."""

        async def work(connection: AsyncConnection) -> Sequence[OutboxRow]:
            return [OutboxRow(*row) for row in await connection.execute(_ROWS, {"topic": topic})]

        return await self._session.run(work)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._session.close()
