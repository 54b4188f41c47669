"""Faust's Kafka transport, with positions that come from the ledger."""

from __future__ import annotations

from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from pipeline.stream.leaving import leave


class _Thread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Faust's consumer thread, which leaves the group when the worker was told to stop."""

    async def on_thread_stop(self) -> None:
        """Leave, then do what Faust does."""
        if self._consumer is not None and self.app.stops_for_good:
            await leave(self._consumer._coordinator, self.app.conf.consumer_group_instance_id)
        await super().on_thread_stop()


class LedgerConsumer(driver.Consumer):  # type: ignore[misc]
    """A consumer that reads on from where the ledger is, not from Kafka's committed offsets.

    The app's `take_partitions` is called with the numbers of the assigned partitions, and gives where each is to be
    read from. Offsets are still committed to Kafka afterwards, for tools that show lag.
    """

    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        """Take what was assigned, and seek there."""
        assigned = {tp.partition: tp for tp in self.assignment()}
        positions = await self.app.take_partitions(set(assigned))
        offsets = {assigned[number]: offset for number, offset in positions.items()}
        if offsets:
            await self.seek_wait(offsets)
        for tp, offset in offsets.items():
            self._committed_offset[tp] = offset or None

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
