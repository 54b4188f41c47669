"""A worker: it processes slices of its partitions, follows the clock, and takes part in rebalances."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import structlog

from pipeline.failpoint import Reached
from pipeline.flow.slices import Slice
from pipeline.flow.values import AdmittedSlice
from pipeline.ledger.protocol import Ledger
from pipeline.observe.metrics import Metrics
from pipeline.processing.assignment import AssignedPartition, AssignedPartitions
from pipeline.processing.committer import Committer
from pipeline.processing.garbage_collection import GarbageCollection
from pipeline.processing.model_updates import ModelUpdates
from pipeline.processing.risk_sweep import RiskSweep
from pipeline.processing.slice_processor import SliceProcessor
from pipeline.processing.source import Source
from pipeline.publishing.outbox import OutboxPublisher
from pipeline.publishing.publisher import Interrupted
from pipeline.topics import EXCHANGE, TOUCHPOINTS, TopicPartition

log = structlog.get_logger(__name__)

#: Number of journeys that are closed in one transaction.
_MAX_DUE = 5_000
#: Seconds after which a commit is published if no other commit comes up.
_PUBLISH_AFTER_S = 0.002
#: Seconds for which restating goes on before it is the turn of new touchpoints.
_RESTATE_S = 0.05


class Worker:
    """Does one thing at a time: a round of slices, a tick of the clock, a rebalance, or publishing.

    Each public method holds the lock for as long as it takes, and each ends with `_after_operation`: publishing begins
    anew if it was interrupted, and what was committed is published soon. No method calls another public one.
    `owner` is this worker's name in the ledger, `clock_ms` gives epoch milliseconds.
    """

    def __init__(
        self,
        *,
        source: Source,
        ledger: Ledger,
        assigned: AssignedPartitions,
        slices: SliceProcessor,
        committer: Committer,
        outbox: OutboxPublisher,
        risk_sweep: RiskSweep | None,
        models: ModelUpdates | None,
        metrics: Metrics,
        garbage: GarbageCollection,
        reached: Reached,
        owner: str,
        grace_ms: int,
        idle_s: float,
        clock_ms: Callable[[], int],
    ) -> None:
        self._source, self._ledger, self._assigned = source, ledger, assigned
        self._slices, self._committer, self._outbox, self._risk_sweep = slices, committer, outbox, risk_sweep
        self._models, self._metrics, self._garbage, self._reached = models, metrics, garbage, reached
        self._owner, self._grace_ms, self._idle_s, self._clock_ms = owner, grace_ms, idle_s, clock_ms
        self._lock = asyncio.Lock()
        self._publishing: asyncio.Task[None] | None = None
        self._was_unpublished = False
        self._is_closed = False

    @property
    def assigned(self) -> Mapping[int, AssignedPartition]:
        """Return what is known about the assigned partitions, by number."""
        return self._assigned

    @property
    def topics(self) -> Sequence[str]:
        """Return the topics that it reads."""
        return (TOUCHPOINTS, EXCHANGE) if self._committer.exchanges else (TOUCHPOINTS,)

    async def take_partitions(self, assignment: Callable[[], set[int]]) -> dict[TopicPartition, int]:
        """Take partitions and publish what earlier owners committed; return where each is to be read from.

        What is known about a partition is kept if no other worker had it in between. `assignment` is asked when the
        lock is held: by then the group may have given a partition to another worker, which would be fenced off. A
        worker that was closed meanwhile takes nothing.
        """
        async with self._operation():
            if self._is_closed:
                return {}
            partitions = assignment()
            for number in set(self._assigned) - partitions:
                self._assigned.drop(number)
            positions, others = await self._ledger.take_partitions(TOUCHPOINTS, partitions, self._owner)
            self._reached("taking")
            fresh = [position for position in positions if not self._assigned.keep(position)]
            await self._committer.begin(fresh)
            await self._take_over([position.partition for position in fresh], others)
            self._metrics.open_journeys.set(await self._ledger.count_open_journeys(partitions))
            self._assigned.show_count()
            log.info("partitions taken", partitions=sorted(partitions))
            return {
                (topic, position.partition): position.next_offset_of(topic)
                for topic in self.topics
                for position in positions
            }

    async def process(self, first: Slice, take_round: Callable[[], Sequence[Slice]]) -> bool:
        """Process a slice with the others of its round; return whether it is committed, and may be acknowledged.

        `take_round` gives the slices that arrived together, this one among them. When it is the turn of the others,
        they are known to be processed.
        """
        async with self._operation():
            assigned = self._assigned.get(first.partition)
            if assigned is None:
                return False
            next_offset = assigned.state.next_offset_of(first.topic)
            if first.last_offset < next_offset:
                return True
            if first.begin > next_offset:
                # A slice was lost on its way, as when a rebalance begins and ends with the same partitions.
                await self._source.rewind(first.place, next_offset)
                return False
            unprocessed = [await self._unprocessed(each) for each in take_round()]
            await self._slices.process_round([each for each in unprocessed if each is not None])
            await self._restate()
            processed = self._assigned.get(first.partition)
            return processed is not None and first.last_offset < processed.position.next_offset_of(first.topic)

    async def _unprocessed(self, arrived: Slice) -> Slice | None:
        """Return the part of a slice that is not processed, if it is the next one of its partition."""
        assigned = self._assigned.get(arrived.partition)
        if assigned is None:
            return None
        next_offset = assigned.state.next_offset_of(arrived.topic)
        if not arrived.begin <= next_offset <= arrived.last_offset:
            return None
        if arrived.first_offset > arrived.begin:
            await self._count_expired(arrived.place, next_offset)
        return arrived.from_offset(next_offset)

    async def _count_expired(self, place: TopicPartition, next_offset: int) -> None:
        """Count offsets that the topic has deleted; others are missing because they never were records."""
        expired = await self._source.earliest(place) - next_offset
        if expired > 0:
            topic, number = place
            log.warning(
                "records were deleted before they were read",
                topic=topic,
                partition=number,
                offset=next_offset,
                records=expired,
            )
            self._metrics.expired.inc(expired)

    async def _restate(self) -> None:
        """Deliver what partitions have told each other, and restate what waits for it.

        Restating does not go on for long: other customers' touchpoints come next.
        """
        began = time.perf_counter()
        await self._committer.deliver(self._clock_ms())
        while await self._committer.restate(self._clock_ms(), time.perf_counter()):
            await self._committer.deliver(self._clock_ms())
            if time.perf_counter() - began > _RESTATE_S:
                break
        self._metrics.restatements.set(sum([len(each.state.restatements) for each in self._assigned.values()]))

    async def tick(self) -> None:
        """Do what goes on beside events: close journeys, take up models, sweep for band changes, clear the outbox."""
        async with self._operation():
            self._publish_soon()
            idle = self._idle_partitions()
            await self._restate()
            await self._close_due(idle)
            if self._models is not None:
                await self._models.take_up()
            if self._risk_sweep is not None:
                await self._risk_sweep.publish_found()
            if idle:
                await self._settle()

    def _idle_partitions(self) -> set[int]:
        now = time.monotonic()
        return {
            number
            for number, assigned in self._assigned.items()
            if now - assigned.active_at >= self._idle_s and self._has_caught_up(assigned)
        }

    def _has_caught_up(self, assigned: AssignedPartition) -> bool:
        """Return whether there was nothing more to read or to restate."""
        state = assigned.state
        return not state.restatements and all(
            self._source.caught_up((topic, state.number), state.next_offset_of(topic)) for topic in self.topics
        )

    async def _close_due(self, idle: set[int]) -> None:
        """Close the journeys that event time has passed; the event time of idle partitions follows the clock."""
        began, clock_ms = time.perf_counter(), self._clock_ms()
        due = await self._due(
            {
                number: max(assigned.state.watermark, clock_ms) if number in idle else assigned.state.watermark
                for number, assigned in self._assigned.items()
            }
        )
        slices = [
            AdmittedSlice(number, assigned.state.next_offset, due=due[number], is_idle=number in idle)
            for number, assigned in self._assigned.items()
            if number in due
        ]
        if slices:
            await self._committer.advance(slices, clock_ms, began)

    async def _due(self, watermarks: Mapping[int, int]) -> dict[int, dict[str, int]]:
        return await self._ledger.due_customers(watermarks, self._grace_ms, _MAX_DUE)

    async def has_work(self) -> bool:
        """Return whether there are records to read or journeys to close.

        What is not published yet can hold records that are sent on, which are to be read then; where the topic ends is
        asked only once it is published.
        """
        async with self._operation():
            was_unpublished, self._was_unpublished = self._was_unpublished, self._outbox.has_unpublished
            if was_unpublished or self._was_unpublished:
                return True
            partitions = self._assigned.items()
            if not all(self._has_caught_up(each) for _, each in partitions):
                return True
            now_ms = self._clock_ms()
            return bool(await self._due({number: max(now_ms, each.state.watermark) for number, each in partitions}))

    async def sweep(self) -> None:
        """Publish the churn risk of all customers whom silence has moved into another band by now."""
        if self._risk_sweep is not None:
            async with self._operation():
                await self._risk_sweep.publish_all()

    async def close(self) -> None:
        """Wait until what was published is confirmed, say so in the ledger, and let go of all partitions."""
        async with self._lock:
            self._committer.tell_by_topic()
            with contextlib.suppress(Interrupted):
                await self._outbox.settle()
                await self._clear_outbox()
            await self._outbox.close()
            self._assigned.clear()
            self._is_closed = True
            if self._risk_sweep is not None:
                await self._risk_sweep.close()
            await self._ledger.close()

    @contextlib.asynccontextmanager
    async def _operation(self) -> AsyncIterator[None]:
        """Hold the lock for one operation, and do afterwards what has to wait until no commit is under way."""
        async with self._lock:
            yield
            await self._after_operation()

    async def _after_operation(self) -> None:
        self._was_unpublished |= self._outbox.has_unpublished
        if self._assigned and self._outbox.is_interrupted:
            await self._take_over([], set())
        self._publish_soon()
        self._garbage.collect_if_due()

    def _publish_soon(self) -> None:
        """Publish the last commit, unless another commit does so right away. Raises what failed the last time."""
        if self._publishing is not None and self._publishing.done():
            self._publishing.result()
            self._publishing = None
        if self._publishing is None and self._outbox.has_held:
            self._publishing = asyncio.create_task(self._publish_held())

    async def _publish_held(self) -> None:
        while self._outbox.has_held:
            await asyncio.sleep(_PUBLISH_AFTER_S)
            if self._lock.locked():
                continue  # a commit may be about to publish it
            async with self._lock:
                await self._outbox.send_held()
                if self._assigned and self._outbox.is_interrupted:
                    await self._take_over([], set())

    async def _settle(self) -> None:
        """Wait until all is published, and say so in the ledger."""
        try:
            await self._outbox.settle()
        except Interrupted:
            await self._take_over([], set())
        await self._clear_outbox()

    async def _clear_outbox(self) -> None:
        await self._outbox.clear([assigned.position for assigned in self._assigned.values()])

    async def _take_over(self, fresh: Sequence[int], others: set[str]) -> None:
        """Publish what is missing on `fresh` partitions, or after an interruption on all; drop what was taken since."""
        self._committer.tell_by_topic()
        positions = {number: assigned.position for number, assigned in self._assigned.items()}
        for number in await self._outbox.take_over(positions, fresh, others):
            self._assigned.drop_fenced(number)
