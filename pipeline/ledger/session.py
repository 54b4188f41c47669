"""The worker's connection to the ledger: one, kept, and made anew after a failure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

T = TypeVar("T")


class Session:
    """Runs one piece of work after the other on one connection in autocommit; work that needs one opens a transaction.

    A connection that failed is dropped, so that the next work gets a new one. Errors go through as they are.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._connection: AsyncConnection | None = None

    async def run(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """The result of `work`, which is given the connection."""
        if self._connection is None:
            self._connection = await self._engine.connect()
        try:
            return await work(self._connection)
        except BaseException:
            connection, self._connection = self._connection, None
            await connection.invalidate()
            await connection.close()
            raise

    async def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
