"""The worker's connections to the ledger: few, kept, and made anew after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

T = TypeVar("T")


class Session:
    """Runs pieces of work on `connections` connections in autocommit; work that needs one opens a transaction.

    Work waits while all connections are at work. One that failed is dropped, so that the next work gets a new one.
    Errors go through as they are.
    """

    def __init__(self, engine: AsyncEngine, connections: int = 1) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._free: list[AsyncConnection] = []
        self._places = asyncio.Semaphore(connections)

    async def run(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Return the result of `work`, which is given a connection."""
        async with self._places:
            connection = self._free.pop() if self._free else await self._engine.connect()
            try:
                result = await work(connection)
            except BaseException:
                await connection.invalidate()
                await connection.close()
                raise
            self._free.append(connection)
            return result

    async def close(self) -> None:
        """Give the connections back."""
        while self._free:
            await self._free.pop().close()
