"""Shows how many keys are shared, and how many keys customers have."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from pipeline.connections.database import is_passing
from pipeline.ledger.key_counts import CustomersKeys, KeyReader
from pipeline.observe.metrics import Metrics

log = structlog.get_logger(__name__)

#: Greatest share of the time that reading may take: with millions of keys it takes seconds.
_MAX_SHARE = 0.05
#: Seconds until the next look for a worker that has no partition yet.
_WAIT_S = 1.0
#: The partition whose worker counts the keys of all customers: their keys are on many partitions.
_COUNTS_FOR_ALL = 0
_NOT_COUNTED = CustomersKeys(0, 0)


class KeyMonitor:
    """Counts keys beside the work, at least `interval_s` seconds apart.

    A worker shows the shared keys of its own partitions, so that the sum over workers is right. One worker counts the
    customers' keys, over all partitions; the others show 0, so that the maximum is right.
    """

    def __init__(
        self,
        *,
        reader: KeyReader,
        assigned: Mapping[int, Any],
        metrics: Metrics,
        interval_s: float,
        clock_ms: Callable[[], int],
    ) -> None:
        self._reader, self._assigned, self._metrics = reader, assigned, metrics
        self._interval_s, self._clock_ms = interval_s, clock_ms

    async def run(self) -> None:
        """Look until cancelled."""
        try:
            while True:
                await asyncio.sleep(await self.look())
        finally:
            await self._reader.close()

    async def look(self) -> float:
        """Look once; return for how many seconds to wait until the next look."""
        partitions, began = sorted(self._assigned), time.monotonic()
        if not partitions:
            self._metrics.set_keys({}, *_NOT_COUNTED)
            return _WAIT_S
        try:
            now_ms = self._clock_ms()
            shared = await self._reader.shared(partitions, now_ms)
            counts = _COUNTS_FOR_ALL in partitions
            customers = await self._reader.of_customers(now_ms) if counts else _NOT_COUNTED
            self._metrics.set_keys(shared, *customers)
        except Exception as error:
            if not is_passing(error):
                log.exception("keys could not be counted")  # the next look may succeed
        return max(self._interval_s, (time.monotonic() - began) / _MAX_SHARE)
