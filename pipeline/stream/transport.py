"""Faust's Kafka transport, with positions that come from the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode.threads import WorkerThread

from pipeline.errors import Unavailable
from pipeline.stream.handed import Handed
from pipeline.stream.leaving import leave
from pipeline.stream.slices import Fetched
from pipeline.stream.unreadable import reread, stuck

#: Between two fetches while the group is not whole.
_PAUSE_S = 0.1
#: While records come in, the broker gathers them for so long, or until there are as many bytes: each fetch and what
#: follows from it, a transaction among it, costs worker, broker and database more than the records that it brings.
#: Once there was nothing for so long, the next record is fetched as soon as it is there.
_GATHER_MS, _GATHER_BYTES = 25, 1 << 16
_IDLE_MS = 500
#: When there are no more records than so many, which have been waiting for the worker, what has come to the broker in
#: the meantime is taken along: else it would wait for another round of the worker's.
_PLENTY = 20_000
#: For that, the broker and we wait for so long at the most.
_REST_MS, _REST_S = 2, 0.01


class _Records(fetcher.PartitionRecords):  # type: ignore[misc]
    """Fetched records as aiokafka reads them, not copied into a form of its own: a third of the time that they take."""

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record


fetcher.PartitionRecords = _Records


def _gather(consumer: Any, most_ms: int, least_bytes: int) -> None:
    """How long the broker waits for how much when it is asked the next time."""
    consumer._fetcher._fetch_max_wait_ms, consumer._fetcher._fetch_min_bytes = most_ms, least_bytes


class _Expendable(WorkerThread):  # type: ignore[misc]
    """A thread that does not keep a worker's process alive: aiokafka can hang when it is stopped in a rebalance."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.daemon = True


class _Thread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Faust's consumer thread, which leaves the group when the worker was told to stop, and reads only records of
    transactions that are committed."""

    Worker = _Expendable

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._handed = Handed()

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        return consumer

    async def _fetch_records(self, consumer: Any, *args: Any, **kwargs: Any) -> dict[TP, Fetched]:
        """What Faust gets, with where each begins and ends."""
        were_waiting = bool(consumer._fetcher._records)
        found = await self._fetch(consumer, *args, **kwargs)
        if not found:
            _gather(consumer, _IDLE_MS, 1)
            return found
        if were_waiting and sum(map(len, found.values())) < _PLENTY:
            _gather(consumer, _REST_MS, 1)
            rest = await self._fetch(consumer, *args, **{**kwargs, "timeout": _REST_S})
            found |= {tp: more.after(found.get(tp)) for tp, more in rest.items()}
        _gather(consumer, _GATHER_MS, _GATHER_BYTES)
        return found

    async def _fetch(self, consumer: Any, *args: Any, **kwargs: Any) -> dict[TP, Fetched]:
        try:
            fetched = await super()._fetch_records(consumer, *args, **kwargs)
        except KafkaError:
            # What failed the group wakes all that wait for it; `check_group` sees to it.
            if consumer._coordinator._coordination_task.done():
                raise
            await asyncio.sleep(_PAUSE_S)
            return {}
        except UnicodeDecodeError:
            if not (unreadable := dict(stuck(consumer._fetcher))):
                raise
            return await self._read_around(consumer, unreadable)
        found = {}
        assignment = consumer._subscription.subscription.assignment
        handed = self._handed.under(assignment)
        for tp, records in fetched.items():
            begin = handed.get(tp, records[0].offset)
            end = handed[tp] = assignment.state_value(tp).position
            found[tp] = Fetched(records, begin, end)
        return found

    async def _read_around(self, consumer: Any, unreadable: Mapping[TP, int]) -> dict[TP, Fetched]:
        """What Faust gets when aiokafka fails at a record; what it had fetched beside is fetched again."""
        servers = ",".join(driver.server_list(self.transport.url, self.transport.default_port))
        found = {}
        assignment = consumer._subscription.subscription.assignment
        handed = self._handed.under(assignment)
        for tp, beyond in unreadable.items():
            if (begin := handed.get(tp)) is None:
                continue  # it is yet to be told where to begin
            records = await asyncio.to_thread(reread, servers, tp, begin, beyond)
            if consumer._subscription.subscription.assignment is not assignment:
                return {}
            if records and handed[tp] == begin:  # else a seek came in between
                end = handed[tp] = records[-1].offset + 1
                found[tp] = Fetched(records, begin, end)
        for tp, offset in handed.items():
            if consumer._subscription.is_assigned(tp):
                consumer.seek(tp, offset)
        if not found:
            await asyncio.sleep(_PAUSE_S)
        return found

    async def _seek_wait(self, consumer: Any, partitions: Mapping[TP, int]) -> None:
        for tp, offset in partitions.items():
            # Both at once: records that come in while Faust's own way of it waits must find them in step.
            consumer.seek(tp, offset)
            self._handed.under(consumer._subscription.subscription.assignment)[tp] = offset
        await super()._seek_wait(consumer, partitions)

    async def check_group(self) -> str | None:
        """What has failed in the group since it was last asked, and may pass; raises Unavailable for what will not.

        aiokafka waits until somebody has looked, and its consumer looks with each fetch, which Faust passes by.
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

    async def progress(self, partitions: Iterable[TP]) -> dict[TP, tuple[int, int]]:
        """Of each partition where the records that were handed on end, and up to where there are no more."""
        return await self.call_thread(self._progress, tuple(partitions))  # type: ignore[no-any-return]

    async def _progress(self, partitions: Iterable[TP]) -> dict[TP, tuple[int, int]]:
        assignment = self._ensure_consumer()._subscription.subscription.assignment
        handed = self._handed.under(assignment)
        found = {}
        for tp in partitions:
            state = assignment.state_value(tp)
            if state is not None and state.has_valid_position and tp in handed:
                found[tp] = handed[tp], state.position
        return found

    async def on_thread_stop(self) -> None:
        """Leave, then do what Faust does."""
        if self._consumer is not None and self.app.stops_for_good:
            await leave(self._consumer._coordinator, self.app.conf.consumer_group_instance_id)
        await super().on_thread_stop()


class LedgerConsumer(driver.Consumer):  # type: ignore[misc]
    """A consumer that reads on from where the ledger is, not from Kafka's committed offsets.

    The app's `take_partitions` is given what tells the numbers of the assigned partitions, and gives where each is to
    be read from. Offsets are still committed to Kafka afterwards, for tools that show lag.
    """

    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        """Take what was assigned, and seek there."""
        positions = await self.app.take_partitions(lambda: {tp.partition for tp in self.assignment()})
        offsets = {tp: positions[tp.partition] for tp in self.assignment() if tp.partition in positions}
        if offsets:
            await self.seek_wait(offsets)
        for tp, offset in offsets.items():
            self._committed_offset[tp] = offset or None

    async def check_group(self) -> str | None:
        """What has failed in the group since it was last asked, and may pass; raises Unavailable for what will not."""
        return await self._thread.check_group()  # type: ignore[no-any-return]

    async def progress(self, partitions: Iterable[TP]) -> dict[TP, tuple[int, int]]:
        """Of each partition where the records that were handed on end, and up to where there are no more."""
        return await self._thread.progress(partitions)  # type: ignore[no-any-return]

    def on_buffer_full(self, tp: TP) -> None:
        """A full buffer holds up the next slice by itself. Faust's own way is to stop asking for the partition, and to
        sleep a second when that leaves none to ask for."""

    def on_buffer_drop(self, tp: TP) -> None:
        """Nothing was stopped."""

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Offsets inside a slice are no gap: the slice is acknowledged as a whole."""

    def _new_offset(self, tp: TP) -> int | None:
        """The offset to commit: slices of a partition are acknowledged in order, so the highest one holds."""
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
