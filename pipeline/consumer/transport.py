"""Faust's Kafka transport, reading from the ledger's positions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from aiokafka.consumer import fetcher
from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode.threads import WorkerThread

from pipeline.consumer.delivered_offsets import DeliveredOffsets
from pipeline.consumer.leave_group import leave_group
from pipeline.consumer.unreadable_headers import reread, unreadable_partitions
from pipeline.errors import Unavailable
from pipeline.flow.slices import Slice

#: Seconds between two fetches while the group rebalances.
_PAUSE_S = 0.1
#: While records arrive, the broker waits for this time, or until it has this many bytes. Each fetch, and the
#: transaction that follows, costs worker, broker and database more than the few records that it would bring.
_GATHER_MS, _GATHER_BYTES = 25, 1 << 16
#: After a fetch without records, the broker answers as soon as it has one, or after this time.
_IDLE_MS = 500
#: When fewer records than this were waiting for the worker, those that have arrived at the broker in the meantime are
#: fetched, too. Otherwise they would wait for another round of the worker.
_PLENTY = 20_000
#: Time for that second fetch: the broker's, and ours.
_REST_MS, _REST_S = 2, 0.01


class Progress(NamedTuple):
    """How far a partition is read.

    `delivered` is the offset after the records that were delivered (None before the first), `read` the offset up to
    which there are no more. `held_back` is the number of offsets at the log's end that can't be read yet, since a
    producer's transaction is open.
    """

    delivered: int | None
    read: int
    held_back: int


class _UncopiedRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """Fetched records as aiokafka reads them, not copied into its own class, which takes a third of the time."""

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record


fetcher.PartitionRecords = _UncopiedRecords


def _set_fetch_wait(consumer: Any, max_wait_ms: int, min_bytes: int) -> None:
    """Set how long the broker waits for how many bytes at the next fetch."""
    consumer._fetcher._fetch_max_wait_ms, consumer._fetcher._fetch_min_bytes = max_wait_ms, min_bytes


class _DaemonThread(WorkerThread):  # type: ignore[misc]
    """A thread that does not keep the process alive: aiokafka can hang when it is stopped in a rebalance."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.daemon = True


class _Thread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Faust's consumer thread. It reads committed records only, and leaves the group when the worker stops for good."""

    Worker = _DaemonThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._delivered = DeliveredOffsets()

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        return consumer

    async def _fetch_records(self, consumer: Any, *args: Any, **kwargs: Any) -> dict[TP, Slice]:
        """Return what Faust gets: a slice of each partition."""
        were_waiting = bool(consumer._fetcher._records)
        slices = await self._fetch(consumer, *args, **kwargs)
        if not slices:
            _set_fetch_wait(consumer, _IDLE_MS, 1)
            return slices
        if were_waiting and sum([len(fetched.records) for fetched in slices.values()]) < _PLENTY:
            _set_fetch_wait(consumer, _REST_MS, 1)
            rest = await self._fetch(consumer, *args, **{**kwargs, "timeout": _REST_S})
            slices |= {tp: more.joined_to(slices.get(tp)) for tp, more in rest.items()}
        _set_fetch_wait(consumer, _GATHER_MS, _GATHER_BYTES)
        return slices

    async def _fetch(self, consumer: Any, *args: Any, **kwargs: Any) -> dict[TP, Slice]:
        try:
            fetched = await super()._fetch_records(consumer, *args, **kwargs)
        except KafkaError:
            # A failure of the group wakes everything that waits for it; `check_group` deals with it.
            if consumer._coordinator._coordination_task.done():
                raise
            await asyncio.sleep(_PAUSE_S)
            return {}
        except UnicodeDecodeError:
            if not (unreadable := dict(unreadable_partitions(consumer._fetcher))):
                raise
            return await self._read_around(consumer, unreadable)
        slices = {}
        assignment = consumer._subscription.subscription.assignment
        delivered = self._delivered.under(assignment)
        for tp, records in fetched.items():
            begin = delivered.get(tp, records[0].offset)
            end = delivered[tp] = assignment.state_value(tp).position
            slices[tp] = Slice(tp.partition, begin, end, records, tp.topic)
        return slices

    async def _read_around(self, consumer: Any, unreadable: Mapping[TP, int]) -> dict[TP, Slice]:
        """Return what Faust gets when aiokafka fails at a record; what else was fetched with it is fetched again."""
        slices = {}
        assignment = consumer._subscription.subscription.assignment
        delivered = self._delivered.under(assignment)
        for tp, beyond in unreadable.items():
            if (begin := delivered.get(tp)) is None:
                continue  # it is not yet told where to begin
            records = await asyncio.to_thread(reread, self.transport.app.kafka, tp, begin, beyond)
            if consumer._subscription.subscription.assignment is not assignment:
                return {}
            if records and delivered[tp] == begin:  # else a seek came in between
                end = delivered[tp] = records[-1].offset + 1
                slices[tp] = Slice(tp.partition, begin, end, records, tp.topic)
        for tp, offset in delivered.items():
            if consumer._subscription.is_assigned(tp):
                consumer.seek(tp, offset)
        if not slices:
            await asyncio.sleep(_PAUSE_S)
        return slices

    async def _seek_wait(self, consumer: Any, partitions: Mapping[TP, int]) -> None:
        for tp, offset in partitions.items():
            # Both at once: for records that arrive while Faust's own seek waits, they must agree.
            consumer.seek(tp, offset)
            self._delivered.under(consumer._subscription.subscription.assignment)[tp] = offset
        await super()._seek_wait(consumer, partitions)

    async def check_group(self) -> str | None:
        """Return what has failed in the group since the last call, and may pass; raise Unavailable for what will not.

        aiokafka waits until its errors are checked. Its own consumer checks them with each fetch, which Faust bypasses.
        """
        return await self.call_thread(self._check_group)  # type: ignore[no-any-return]

    async def _check_group(self) -> str | None:
        coordinator = self._ensure_consumer()._coordinator
        try:
            coordinator.check_errors()
        except KafkaError as error:
            if coordinator._coordination_task.done() or not (error.retriable or type(error) is KafkaError):
                raise Unavailable(f"Kafka does not let this worker into its group: {error}.") from None
            return str(error)
        return None

    async def progress(self, partitions: Iterable[TP]) -> dict[TP, Progress]:
        """Return how far partitions are read."""
        return await self.call_thread(self._progress, tuple(partitions))  # type: ignore[no-any-return]

    async def _progress(self, partitions: Iterable[TP]) -> dict[TP, Progress]:
        assignment = self._ensure_consumer()._subscription.subscription.assignment
        delivered = self._delivered.under(assignment)
        progress = {}
        for tp in partitions:
            state = assignment.state_value(tp)
            if state is not None and state.has_valid_position:
                held_back = 0 if state.lso is None else max(0, (state.highwater or 0) - state.lso)
                progress[tp] = Progress(delivered.get(tp), state.position, held_back)
        return progress

    async def on_thread_stop(self) -> None:
        """Leave the group, then do what Faust does."""
        if self._consumer is not None and self.app.stops_for_good:
            await leave_group(self._consumer._coordinator, self.app.conf.consumer_group_instance_id)
        await super().on_thread_stop()


class LedgerConsumer(driver.Consumer):  # type: ignore[misc]
    """A consumer that reads from the ledger's positions, not from Kafka's committed offsets.

    The app's `take_partitions` gets a function that tells the assigned partitions, and returns where each is to be read
    from. Offsets are still committed to Kafka afterwards, for tools that show lag.
    """

    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        """Take the assigned partitions, and seek to their positions."""
        positions = await self.app.take_partitions(lambda: {tp.partition for tp in self.assignment()})
        offsets = {tp: positions[tp] for tp in self.assignment() if tp in positions}
        if offsets:
            await self.seek_wait(offsets)
        for tp, offset in offsets.items():
            self._committed_offset[tp] = offset or None

    async def check_group(self) -> str | None:
        """Return what has failed in the group since the last call, and may pass; raise Unavailable for the rest."""
        return await self._thread.check_group()  # type: ignore[no-any-return]

    async def progress(self, partitions: Iterable[TP]) -> dict[TP, Progress]:
        """Return how far partitions are read."""
        return await self._thread.progress(partitions)  # type: ignore[no-any-return]

    def on_buffer_full(self, tp: TP) -> None:
        """Do nothing: a full buffer holds up the next slice by itself.

        Faust would stop fetching the partition, and sleep a second when there is no other one to fetch.
        """

    def on_buffer_drop(self, tp: TP) -> None:
        """Do nothing, since nothing was stopped."""

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing: offsets inside a slice are no gap, since the slice is acknowledged as a whole."""

    def _new_offset(self, tp: TP) -> int | None:
        """Return the offset to commit: slices of a partition are acknowledged in order, so it is the highest one."""
        acked = self._acked[tp]
        if not acked:
            return None
        highest = max(acked)
        acked.clear()
        self._acked_index[tp].clear()
        return int(highest) + 1


class LedgerTransport(driver.Transport):  # type: ignore[misc]
    """Faust's transport over aiokafka, with `LedgerConsumer`."""

    Consumer: Any = LedgerConsumer
