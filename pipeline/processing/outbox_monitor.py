"""Shows what is committed and not published, as the ledger has it: also what earlier workers have left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

from pipeline.connections.database import is_passing
from pipeline.ledger.outbox_age import OutboxReader, OutboxRow
from pipeline.observe.metrics import Metrics
from pipeline.topics import TOUCHPOINTS

log = structlog.get_logger(__name__)

#: Seconds between two looks.
_INTERVAL_S = 2.0


class OutboxMonitor:
    """Reads the outbox beside the work.

    A worker shows the commits of the partitions that it has taken, one without partitions those of all. `confirmed`
    gives the number of a partition's last commit that is known to be published. While the database is away, what was
    there grows older.
    """

    def __init__(
        self,
        *,
        reader: OutboxReader,
        assigned: Mapping[int, Any],
        confirmed: Callable[[int], int],
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader, self._assigned, self._confirmed = reader, assigned, confirmed
        self._metrics, self._clock = metrics, clock
        self._rows: Sequence[OutboxRow] = ()
        self._read_at = clock()

    async def run(self) -> None:
        """Look until cancelled."""
        try:
            while True:
                await self.look()
                await asyncio.sleep(_INTERVAL_S)
        finally:
            await self._reader.close()

    async def look(self) -> None:
        """Look once."""
        try:
            self._rows, self._read_at = await self._reader.read(TOUCHPOINTS), self._clock()
        except Exception as error:
            if not is_passing(error):
                log.exception("the outbox could not be looked at")  # the next look may succeed
        self._show()

    def _show(self) -> None:
        since = self._clock() - self._read_at
        rows = [
            row
            for row in self._rows
            if not self._assigned or (row.partition in self._assigned and row.commit > self._confirmed(row.partition))
        ]
        self._metrics.unpublished.set(sum([row.journeys for row in rows]))
        self._metrics.unpublished_seconds.set(max([row.age_s + since for row in rows], default=0.0))
