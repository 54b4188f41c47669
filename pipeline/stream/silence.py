"""Whom silence has moved into another band of churn risk: looked for beside the work on records."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.ledger import sweep
from pipeline.ledger.database import is_passing
from pipeline.ledger.session import Session
from pipeline.observe.metrics import Metrics

log = structlog.get_logger()

#: A look reads every churn risk of the worker's partitions: with millions of customers it takes seconds. It takes no
#: more than this share of the time.
_SHARE = 0.05
_MOST = 50_000


class Silence:
    """Looks on a connection of its own, `every_s` seconds apart or more. What it finds is to be looked at once more.

    It also sets the metrics that are read from whole tables.
    """

    def __init__(self, session: Session, metrics: Metrics, every_s: float) -> None:
        self._session, self._metrics, self._every_s = session, metrics, every_s
        self._next_at = time.monotonic() + every_s
        self._looking: asyncio.Task[list[str]] | None = None

    def found(self, partitions: Sequence[int], now_ms: int) -> list[str]:
        """Customers whom a look that has ended found; begins the next one when it is time. Does not wait.

        Raises an error of the database that will not pass.
        """
        if self._looking is None:
            if partitions and time.monotonic() >= self._next_at:
                self._looking = asyncio.create_task(self.look(partitions, now_ms))
            return []
        if not self._looking.done():
            return []
        looked, self._looking = self._looking, None
        try:
            return looked.result()
        except Exception as error:
            if not is_passing(error):
                raise
            log.warning("could not look for whom silence has moved", error=type(error).__name__)
            self._next_at = time.monotonic() + self._every_s
            return []

    async def look(self, partitions: Sequence[int], now_ms: int) -> list[str]:
        """Up to 50,000 customers whose band is another one at `now_ms` (epoch ms) than the one that was told."""
        began = time.monotonic()
        names = await self._session.run(lambda connection: self._look(connection, partitions, now_ms))
        ended = time.monotonic()
        pause_s = max(self._every_s, (ended - began) / _SHARE)
        self._next_at = began + pause_s if len(names) < _MOST else ended
        return names

    async def close(self) -> None:
        """Stop looking, and let go of the connection."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
            self._looking = None
        await self._session.close()

    async def _look(self, connection: AsyncConnection, partitions: Sequence[int], now_ms: int) -> list[str]:
        await connection.execute(text("SET statement_timeout = 0"))  # nobody waits for it
        names = await sweep.candidates(connection, partitions, now_ms, _MOST)
        self._metrics.set_bands(await sweep.bands(connection, partitions))
        for channel, mean in (await sweep.satisfaction_means(connection)).items():
            self._metrics.satisfaction.labels(channel).set(mean)
        return names
