"""The source of slices: touchpoints.v1, read through Faust."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

import structlog
from aiokafka.errors import KafkaError
from faust.types import TP

from pipeline.connections.kafka import KafkaConnection
from pipeline.consumer.app import LedgerApp, ProcessSlice, TakePartitions, build_app
from pipeline.consumer.topic_ends import TopicEnds
from pipeline.errors import Unavailable
from pipeline.failpoint import Reached
from pipeline.retry import Retry
from pipeline.topics import TopicPartition

log = structlog.get_logger(__name__)
T = TypeVar("T")

#: Seconds that the broker has to answer a question beside the work.
_TIMEOUT_S = 5.0
#: Seconds after which stopping is cut short; the ledger makes that safe.
_STOP_TIMEOUT_S = 20.0


class FaustSource:
    """Owns the Faust app, and asks the broker through it. Implements `processing.source.Source`."""

    def __init__(
        self,
        *,
        kafka: KafkaConnection,
        group: str,
        instance: str,
        folder: str,
        partitions: int,
        max_records: int,
        exchanges: bool,
        retry: Retry,
        reached: Reached,
    ) -> None:
        self._kafka, self._group, self._instance = kafka, group, instance
        self._folder, self._partitions, self._max_records = folder, partitions, max_records
        self._exchanges = exchanges
        self._ends, self._retry, self._reached = TopicEnds(), retry, reached
        self._app: LedgerApp | None = None

    async def start(self, *, take_partitions: TakePartitions, process: ProcessSlice) -> None:
        """Start reading; returns when the first partitions are taken. Raises Unavailable when the broker stays away."""

        async def attempt() -> None:
            self._app = build_app(
                group=self._group,
                instance=self._instance,
                kafka=self._kafka,
                folder=self._folder,
                take_partitions=take_partitions,
                process=process,
                reached=self._reached,
                partitions=self._partitions,
                max_records=self._max_records,
                exchanges=self._exchanges,
            )
            try:
                await self._app.start()
            except KafkaError as error:
                # An app that has failed can't be started again.
                await self.stop(for_good=False)
                raise Unavailable(f"Kafka does not answer: {error}.") from None

        await self._retry.run("broker", attempt)

    async def stop(self, *, for_good: bool) -> None:
        """Stop reading; a worker that stops `for_good` leaves its group."""
        if self._app is not None:
            self._app.stops_for_good = for_good
            await asyncio.wait({asyncio.create_task(self._app.stop())}, timeout=_STOP_TIMEOUT_S)

    async def wait_until_stopped(self) -> BaseException:
        """Wait until reading stops by itself; return why."""
        await self._running.wait_until_stopped()
        return self._running.crash_reason or RuntimeError("the stream stopped by itself")

    @property
    def _running(self) -> LedgerApp:
        assert self._app is not None, "the source is not started"
        return self._app

    @property
    def is_rebalancing(self) -> bool:
        """Return whether the group is rebalancing."""
        return bool(self._running.rebalancing)

    def assignment(self) -> set[int]:
        """Return the partitions that the group has assigned to this worker."""
        return {tp.partition for tp in self._running.consumer.assignment()}

    async def take_back(self) -> None:
        """Take the assigned partitions anew, and read from their positions."""
        await self._running.consumer.perform_seek()

    async def rewind(self, place: TopicPartition, offset: int) -> None:
        """Read a partition again from an offset."""
        await self._running.consumer.seek_wait({TP(*place): offset})

    async def earliest(self, place: TopicPartition) -> int:
        """Return the first offset that the topic still has of a partition."""
        tp = TP(*place)
        offsets = await self._ask_broker(lambda: self._running.consumer.earliest_offsets(tp))
        return int(offsets[tp])

    async def ends(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offsets after the last records of partitions, as far as the broker tells."""
        tps = [TP(*place) for place in places]
        return _told(await self._ask_broker(lambda: self._running.consumer.highwaters(*tps)))

    def caught_up(self, place: TopicPartition, next_offset: int) -> bool:
        """Return whether the topic had no more records of a partition when it was last asked."""
        return self._ends.caught_up(place, next_offset)

    async def update_ends(self, next_offsets: Callable[[], Mapping[TopicPartition, int]]) -> None:
        """Ask where the partitions end, for `caught_up`; do not wait for long."""
        tps = [TP(*place) for place in next_offsets()]
        if not tps or self.is_rebalancing:
            return
        consumer = self._running.consumer
        try:
            ends = await asyncio.wait_for(consumer.highwaters(*tps), _TIMEOUT_S)
            progress = await asyncio.wait_for(consumer.progress(tps), _TIMEOUT_S)
        except Exception as error:
            log.warning("the broker does not answer", error=type(error).__name__)
            self._ends.forget()
            return
        self._ends.update(_told(ends), progress, next_offsets())

    async def check_group(self) -> str | None:
        """Return what has failed in the group since the last call, and may pass.

        The consumer joins the group again then. Raises Unavailable for what will not pass.
        """
        with contextlib.suppress(TimeoutError):
            wrong: str | None = await asyncio.wait_for(self._running.consumer.check_group(), _TIMEOUT_S)
            return wrong
        return None

    async def _ask_broker(self, question: Callable[[], Awaitable[T]]) -> T:
        """Return the broker's answer; raise Unavailable when it stays away."""

        async def attempt() -> T:
            try:
                return await question()
            except KafkaError as error:
                raise Unavailable(f"Kafka does not answer: {error}.") from None

        return await self._retry.run("broker", attempt)


def _told(offsets: Mapping[TP, int | None]) -> dict[TopicPartition, int]:
    return {tp: offset for tp, offset in offsets.items() if offset is not None}
