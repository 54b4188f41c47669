"""The risk sweep: finds customers whose silence has moved them into another band, and publishes their churn risk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog

from pipeline.connections.database import is_passing
from pipeline.flow.state import Partition
from pipeline.flow.values import Batch
from pipeline.ledger.protocol import Ledger
from pipeline.ledger.risk_sweep import RiskReader
from pipeline.observe.metrics import Metrics
from pipeline.processing.assignment import AssignedPartitions
from pipeline.processing.committer import Committer
from pipeline.retry import Retry
from pipeline.scores.churn.model import ChurnModel
from pipeline.scores.churn.row import TABLE, ChurnRow

log = structlog.get_logger(__name__)

#: Greatest share of the time that reading may take. It reads every churn risk of the worker's partitions: with
#: millions of customers that takes seconds.
_MAX_SHARE = 0.05
#: Number of customers that one reading returns.
_MAX_FOUND = 50_000
#: Number of customers whose risk is published in one transaction.
_MAX_IN_TRANSACTION = 5_000


class RiskSweep:
    """Reads beside the work on records, at least `interval_s` seconds apart. What it finds is checked once more.

    It also sets the metrics that are read from whole tables.
    """

    def __init__(
        self,
        *,
        reader: RiskReader,
        ledger: Ledger,
        committer: Committer,
        assigned: AssignedPartitions,
        model: ChurnModel,
        metrics: Metrics,
        retry: Retry,
        interval_s: float,
        clock_ms: Callable[[], int],
    ) -> None:
        self._reader, self._ledger, self._committer, self._assigned = reader, ledger, committer, assigned
        #: The model that risks are made with; may be exchanged while nothing is under way.
        self.model = model
        self._metrics, self._retry = metrics, retry
        self._interval_s, self._clock_ms = interval_s, clock_ms
        self._next_at = time.monotonic() + interval_s
        self._reading: asyncio.Task[Sequence[str]] | None = None

    async def publish_found(self) -> None:
        """Publish what a reading that has ended found, and begin the next one when it is time; do not wait for it.

        Raises an error of the database that will not pass.
        """
        await self._publish(self._take_found())

    def _take_found(self) -> Sequence[str]:
        if self._reading is None:
            if self._assigned and time.monotonic() >= self._next_at:
                self._reading = asyncio.create_task(self._read())
            return []
        if not self._reading.done():
            return []
        ended, self._reading = self._reading, None
        try:
            return ended.result()
        except Exception as error:
            if not is_passing(error):
                raise
            log.warning("the risk sweep could not read", error=type(error).__name__)
            self._next_at = time.monotonic() + self._interval_s
            return []

    async def publish_all(self) -> None:
        """Publish every band change by now."""
        while self._assigned and (customers := await self._retry.run("database", self._read)):
            await self._publish(customers)

    async def _read(self) -> Sequence[str]:
        """Return customers whose band, by the model now, is not the one that was published."""
        began = time.monotonic()
        reading = await self._reader.read_risks(list(self._assigned), self._clock_ms(), self.model.version, _MAX_FOUND)
        ended = time.monotonic()
        pause_s = max(self._interval_s, (ended - began) / _MAX_SHARE)
        self._next_at = began + pause_s if len(reading.changed) < _MAX_FOUND else ended
        self._metrics.set_bands(reading.bands)
        for channel, mean in reading.satisfaction_means.items():
            self._metrics.satisfaction.labels(channel).set(mean)
        return reading.changed

    async def _publish(self, customers: Sequence[str]) -> None:
        """Commit the risk of customers whose band has changed, unless they were seen since that was found."""
        for first in range(0, len(customers), _MAX_IN_TRANSACTION):
            some, now_ms, began = customers[first : first + _MAX_IN_TRANSACTION], self._clock_ms(), time.perf_counter()
            changes = await self._ledger.band_changes(list(self._assigned), now_ms, self.model, some)
            if changes:
                batches = [self._batch(number, rows) for number, rows in changes.items()]
                await self._committer.commit(batches, began)

    def _batch(self, number: int, rows: Sequence[ChurnRow]) -> Batch:
        """Return a batch that changes nothing but churn risks."""
        state = self._assigned[number].state
        for row in rows:
            _note_published(state, row)
        return Batch(number, state.next_offset, state.watermark, scores={TABLE.name: rows})

    async def close(self) -> None:
        """Stop reading, and let go of the connection."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})
            self._reading = None
        await self._reader.close()


def _note_published(partition: Partition, row: ChurnRow) -> None:
    """Let the customer's state in memory know as of when the risk was published.

    Where it has no such score, another worker has taken the partition, and this commit will be refused.
    """
    customer = partition.customers.get(row.customer)
    if customer is not None and TABLE.name in customer.scores:
        customer.scores[TABLE.name] = customer.scores[TABLE.name]._replace(as_of=row.as_of)
