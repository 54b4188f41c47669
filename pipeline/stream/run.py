"""Running a worker until it is told to stop, is done, or fails."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

import structlog
from aiokafka.errors import KafkaError

from pipeline.errors import InvalidInput, Unavailable
from pipeline.observe.health import Health
from pipeline.observe.metrics import Metrics
from pipeline.retry import Retry
from pipeline.stream.app import LedgerApp, tp
from pipeline.stream.slices import Slice
from pipeline.stream.worker import Worker
from pipeline.topics import TOUCHPOINTS

log = structlog.get_logger()
T = TypeVar("T")

_TICK_S = 0.5
#: For so long a worker leaves a partition to whoever fenced it off: usually the group gives it away just then.
_PATIENCE_S = 5.0
#: A broker that takes longer to say how long its partitions are is taken to be away.
_ANSWER_S = 5.0
#: A graceful stop that takes longer is cut short; the ledger makes that safe.
_STOP_S = 20.0


class Run:
    """The worker inside its Faust app: signals, the clock's ticks, lag, and the end."""

    def __init__(
        self, worker: Worker, metrics: Metrics, health: Health, retry: Retry, until_idle_s: float | None
    ) -> None:
        self._worker, self._metrics, self._health, self._retry = worker, metrics, health, retry
        self._until_idle_s = until_idle_s
        self._stop = asyncio.Event()
        self._failure: BaseException | None = None
        self._ends: dict[int, int] = {}
        self._appended: dict[int, int] = {}
        self._level_at: dict[int, float] = {}
        self._began_at = time.time()
        self._active_at = self._whole_at = time.monotonic()
        self.app: LedgerApp

    async def take(self, assigned: Callable[[], set[int]]) -> dict[int, int]:
        """Take partitions for the consumer; a failure ends the worker."""
        try:
            self._active_at = time.monotonic()
            positions = await self._worker.take(assigned)
            await self._refuse_a_shorter_topic(positions)
            return positions
        except Exception as error:
            self._fail(error)
            return await _never()

    async def _refuse_a_shorter_topic(self, positions: dict[int, int]) -> None:
        """A position beyond the topic's end means that the topic is not the one that the tables were made from."""
        ends = await self._ask_broker(lambda: self.app.consumer.highwaters(*[tp(number) for number in positions]))
        for number, offset in positions.items():
            end = ends.get(tp(number))
            if end is not None and offset > end:
                raise InvalidInput(
                    f"The ledger is at offset {offset:,} of {TOUCHPOINTS}/{number}, and the topic ends at {end:,}: it "
                    "was made anew, or the database belongs to another Kafka. Nothing is processed, lest events are "
                    "passed over; docs/operations.md says what to do (Positions beyond the topic's end)."
                )

    async def handle(self, piece: Slice) -> bool:
        """Process a slice; whether it is to be acknowledged. A failure ends the worker, and then it is not."""
        if self._failure is not None or self._stop.is_set():
            await _never()
        try:
            done = await self._worker.handle(piece)
        except Exception as error:
            self._fail(error)
            return await _never()
        self._active_at = time.monotonic()
        self._appended[piece.partition] = piece.timestamp
        return done

    async def rewind(self, partition: int, offset: int) -> None:
        """Have the consumer read a partition again from an offset."""
        await self.app.consumer.seek_wait({tp(partition): offset})

    async def earliest(self, partition: int) -> int:
        """The first offset that the topic still has of a partition."""
        found = await self._ask_broker(lambda: self.app.consumer.earliest_offsets(tp(partition)))
        return int(found[tp(partition)])

    async def _ask_broker(self, question: Callable[[], Awaitable[T]]) -> T:
        """The broker's answer, when it gives one; raises Unavailable when it stays away."""

        async def attempt() -> T:
            try:
                return await question()
            except KafkaError as error:
                raise Unavailable(f"Kafka does not answer: {error}.") from None

        return await self._retry.run("broker", attempt)

    def caught_up(self, partition: int, next_offset: int) -> bool:
        """Whether the topic had no more records of a partition when it was last asked."""
        end = self._ends.get(partition)
        return end is not None and next_offset >= end

    async def until_stopped(self) -> None:
        """Run the app; returns on SIGTERM, SIGINT, or when idle for long enough, and raises what made it fail."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        stopped = asyncio.create_task(self._stop.wait())
        # Starting waits for the partitions to be taken, which may be what fails.
        starting = asyncio.create_task(self.app.start())
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done() and (error := starting.exception()) is not None:
            self._failure = self._failure or error
            self._stop.set()
        ticking = asyncio.create_task(self._tick())
        crashed = asyncio.create_task(self.app.wait_until_stopped())
        try:
            await asyncio.wait({ticking, crashed, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if ticking.done() and not ticking.cancelled():
                self._failure = self._failure or ticking.exception()
            if crashed.done() and self._failure is None and not self._stop.is_set():
                self._failure = self.app.crash_reason or RuntimeError("the stream stopped by itself")
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
            self.app.stops_for_good = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._worker.close(), _STOP_S)
        await asyncio.wait({asyncio.create_task(self.app.stop())}, timeout=_STOP_S)

    async def _tick(self) -> None:
        while not self._stop.is_set():
            await asyncio.sleep(_TICK_S)
            await self._mend_group()
            await self._take_back()
            await self._look_ahead()
            await self._worker.tick(self.caught_up)
            if self._until_idle_s is not None and await self._is_done(self._until_idle_s):
                log.info("idle, all input is processed")
                await self._worker.sweep()
                self._stop.set()

    async def _mend_group(self) -> None:
        wrong = None
        with contextlib.suppress(TimeoutError):
            wrong = await asyncio.wait_for(self.app.consumer.check_group(), _ANSWER_S)
        if wrong is not None:
            log.warning("the group failed, joining it again", why=wrong)
            self._metrics.retries.labels("broker").inc()

    async def _take_back(self) -> None:
        """Take partitions that are this worker's by the group and not by the ledger: somebody else took them late."""
        owned = self._worker.owned
        assigned = {each.partition for each in self.app.consumer.assignment()}
        if self.app.rebalancing or assigned <= owned.keys():
            self._whole_at = time.monotonic()
        elif time.monotonic() - self._whole_at > _PATIENCE_S:
            log.warning("taking back partitions that another worker took without the group's knowledge")
            self._whole_at = time.monotonic()
            await self.app.consumer.perform_seek()

    async def _look_ahead(self) -> None:
        """Ask how long the partitions are, and show how far behind this worker is."""
        owned = self._worker.owned
        if not owned or self.app.rebalancing:
            return
        try:
            everything = [tp(number) for number in owned]
            ends = await asyncio.wait_for(self.app.consumer.highwaters(*everything), _ANSWER_S)
            progress = await asyncio.wait_for(self.app.consumer.progress(everything), _ANSWER_S)
        except Exception as error:  # the broker is away; what it last said no longer counts
            log.warning("the broker does not answer", error=type(error).__name__)
            self._health.away.add("broker")
            self._metrics.retries.labels("broker").inc()
            self._ends.clear()
            return
        self._health.away.discard("broker")
        self._ends = {each.partition: end for each, end in ends.items() if end is not None}
        now = time.time()
        worst = 0.0
        for number, item in list(owned.items()):
            handed, empty_up_to = progress.get(tp(number), (0, 0))
            if handed == item.state.next_offset and empty_up_to >= self._ends.get(number, 0):
                self._ends[number] = handed  # what follows are no records
            behind = max(0, self._ends.get(number, 0) - item.state.next_offset)
            if not behind:
                self._level_at[number] = now
            # The oldest record that waits came after the last one processed, and after the last time that none waited.
            since = max(self._appended.get(number, 0) / 1000, self._level_at.get(number, 0.0)) or self._began_at
            seconds = max(0.0, now - since) if behind else 0.0
            worst = max(worst, seconds)
            self._metrics.lag_records.labels(str(number)).set(behind)
            self._metrics.lag_seconds.labels(str(number)).set(seconds)
        self._health.lag_seconds = worst

    async def _is_done(self, idle_s: float) -> bool:
        if self.app.rebalancing or time.monotonic() - self._active_at < idle_s:
            return False
        return not self._worker.owned or not await self._worker.has_work(self.caught_up)

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
            self._stop.set()


async def _never() -> NoReturn:
    """Wait to be cancelled: raising would have Faust tell of it in its own way, or go on."""
    while True:
        await asyncio.sleep(3600)
