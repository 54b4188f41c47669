"""Running a worker until it is told to stop, is done, or fails."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, Protocol

import structlog

from pipeline.consumer.lag_monitor import LagMonitor
from pipeline.consumer.slice_message import SliceMessage
from pipeline.consumer.source import FaustSource
from pipeline.errors import InvalidInput
from pipeline.flow.slices import Slice
from pipeline.observe.metrics import Metrics
from pipeline.topics import TopicPartition

log = structlog.get_logger(__name__)

#: Seconds between two ticks.
_TICK_S = 0.5
#: Seconds for which a worker leaves a partition to the worker that fenced it off; usually the group assigns it to that
#: one just then.
_PATIENCE_S = 5.0
#: Seconds after which closing the worker is cut short; the ledger makes that safe.
_CLOSE_TIMEOUT_S = 20.0


class Processor(Protocol):
    """What the runner asks of the worker; each coroutine takes the worker's lock by itself."""

    @property
    def assigned(self) -> Mapping[int, Any]:
        """Return the partitions that the worker has taken, by number, each with its `position` and `state`."""

    @property
    def topics(self) -> Sequence[str]:
        """Return the topics that it reads."""

    async def take_partitions(self, assignment: Callable[[], set[int]]) -> dict[TopicPartition, int]:
        """Take partitions; return where each is to be read from."""

    async def process(self, first: Slice, take_round: Callable[[], Sequence[Slice]]) -> bool:
        """Process slices; return whether the first may be acknowledged."""

    async def tick(self) -> None:
        """Do what goes on beside events."""

    async def has_work(self) -> bool:
        """Return whether there are records to read or journeys to close."""

    async def sweep(self) -> None:
        """Publish the churn risk of customers that silence has moved into another band."""

    async def close(self) -> None:
        """Finish, and let go of everything."""


class Runner:
    """Connects a worker with its source: signals, ticks, failures, and the end.

    `until_idle_s` stops the worker by itself when all input is processed and nothing new has arrived for that long.
    """

    def __init__(
        self,
        *,
        worker: Processor,
        source: FaustSource,
        lag: LagMonitor,
        metrics: Metrics,
        until_idle_s: float | None,
        tick_s: float = _TICK_S,
    ) -> None:
        self._worker, self._source, self._lag, self._metrics = worker, source, lag, metrics
        self._until_idle_s, self._tick_s = until_idle_s, tick_s
        self._stop = asyncio.Event()
        self._failure: BaseException | None = None
        self._active_at = self._complete_at = time.monotonic()

    async def run_until_stopped(self) -> None:
        """Run; return on SIGTERM, on SIGINT, or when idle for long enough; raise what made the worker fail."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        stopped = asyncio.create_task(self._stop.wait())
        # Starting waits until partitions are taken, which may be what fails.
        starting = asyncio.create_task(self._source.start(take_partitions=self.take_partitions, process=self.process))
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done() and (error := starting.exception()) is not None:
            self._fail(error)
        ticking = asyncio.create_task(self._tick_until_stopped())
        crashed = asyncio.create_task(self._source.wait_until_stopped())
        try:
            await asyncio.wait({ticking, crashed, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if ticking.done() and (error := ticking.exception()) is not None:
                self._fail(error)
            if crashed.done() and not self._stop.is_set():
                self._fail(crashed.result())
            log.info("stopping", failed=self._failure is not None)
        finally:
            for task in (ticking, stopped, starting):
                task.cancel()
            await self._shut_down()
            crashed.cancel()
        if self._failure is not None:
            raise self._failure

    async def _shut_down(self) -> None:
        if self._failure is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._worker.close(), _CLOSE_TIMEOUT_S)
        await self._source.stop(for_good=self._failure is None)

    async def take_partitions(self, assignment: Callable[[], set[int]]) -> dict[TopicPartition, int]:
        """Take partitions for the consumer; a failure ends the worker.

        Faust cancels this when the group rebalances anew. What was begun is finished all the same.
        """
        return await asyncio.shield(asyncio.create_task(self._take_partitions(assignment)))

    async def _take_partitions(self, assignment: Callable[[], set[int]]) -> dict[TopicPartition, int]:
        try:
            self._active_at = time.monotonic()
            next_offsets = await self._worker.take_partitions(assignment)
            await self._refuse_shorter_topic(next_offsets)
            return next_offsets
        except Exception as error:
            self._fail(error)
            return await _wait_for_cancellation()

    async def _refuse_shorter_topic(self, next_offsets: Mapping[TopicPartition, int]) -> None:
        """Raise InvalidInput for a position beyond the topic's end: the tables were made from another topic."""
        ends = await self._source.ends(next_offsets)
        for (topic, number), offset in next_offsets.items():
            end = ends.get((topic, number))
            if end is not None and offset > end:
                raise InvalidInput(
                    f"The ledger is at offset {offset:,} of {topic}/{number}, and the topic ends at {end:,}: it "
                    "was made anew, or the database belongs to another Kafka. Nothing is processed, so that no event "
                    "is skipped; docs/operations.md says what to do (Positions beyond the topic's end)."
                )

    async def process(self, message: SliceMessage) -> bool:
        """Process a slice; return whether to acknowledge it. A failure ends the worker without acknowledging it."""
        if self._stop.is_set():
            await _wait_for_cancellation()
        try:
            is_committed = await self._worker.process(message.slice, message.take_round)
        except Exception as error:
            self._fail(error)
            return await _wait_for_cancellation()
        self._active_at = time.monotonic()
        self._lag.note_processed(message.topic, message.partition, message.timestamp)
        return is_committed

    async def _tick_until_stopped(self) -> None:
        while not self._stop.is_set():
            await asyncio.sleep(self._tick_s)
            await self._check_group()
            await self._take_back()
            await self._source.update_ends(self._next_offsets)
            await self._worker.tick()
            if await self._is_done():
                log.info("idle, all input is processed")
                await self._worker.sweep()
                self._stop.set()

    def _next_offsets(self) -> dict[TopicPartition, int]:
        return {
            (topic, number): assigned.state.next_offset_of(topic)
            for topic in self._worker.topics
            for number, assigned in self._worker.assigned.items()
        }

    def committed_offsets(self) -> dict[TopicPartition, int]:
        """Return the first offset of each partition that is not in the ledger; may be called in another thread."""
        return {
            (topic, number): assigned.position.next_offset_of(topic)
            for number, assigned in dict(self._worker.assigned).items()
            for topic in self._worker.topics
        }

    async def _check_group(self) -> None:
        wrong = await self._source.check_group()
        if wrong is not None:
            log.warning("the group failed, joining it again", why=wrong)
            self._metrics.retries.labels("broker").inc()

    async def _take_back(self) -> None:
        """Take partitions that the group assigns to this worker, and that another worker has taken late."""
        if self._source.is_rebalancing or self._source.assignment() <= self._worker.assigned.keys():
            self._complete_at = time.monotonic()
        elif time.monotonic() - self._complete_at > _PATIENCE_S:
            log.warning("taking back partitions that another worker took without the group's knowledge")
            self._complete_at = time.monotonic()
            await self._source.take_back()

    async def _is_done(self) -> bool:
        if self._until_idle_s is None or self._source.is_rebalancing:
            return False
        if time.monotonic() - self._active_at < self._until_idle_s:
            return False
        return not self._worker.assigned or not await self._worker.has_work()

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
            self._stop.set()


async def _wait_for_cancellation() -> NoReturn:
    """Wait until Faust cancels the caller. After an exception, Faust would log it in its own way, or go on."""
    while True:
        await asyncio.sleep(3600)
