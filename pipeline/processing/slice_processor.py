"""Processing slices: admit ▶ advance ▶ commit. A record that breaks this is found by bisection, and refused.

What other partitions tell and new touchpoints of a partition become one batch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog

from pipeline.contract.reject import Rejected
from pipeline.flow.admission import Admission
from pipeline.flow.exchange_admission import with_messages
from pipeline.flow.slices import Slice
from pipeline.flow.values import AdmittedSlice, Refused
from pipeline.observe.metrics import Metrics
from pipeline.processing.assignment import AssignedPartitions
from pipeline.processing.committer import Committer
from pipeline.processing.grouping import group_parts, group_slices
from pipeline.processing.poison import MAX_POISON_RECORDS, bisect, may_be_poison, poison_rejection
from pipeline.processing.tasks import gather_or_cancel
from pipeline.processing.writer_schemas import WriterSchemaCache
from pipeline.topics import EXCHANGE

log = structlog.get_logger(__name__)

#: Number of transactions under way at once, each with partitions of its own: the database works on one of them while
#: the worker prepares the other.
CONCURRENT_TRANSACTIONS = 2


class SliceProcessor:
    """Processes slices of assigned partitions. `clock_ms` gives epoch milliseconds."""

    def __init__(
        self,
        *,
        admission: Admission,
        writer_schemas: WriterSchemaCache,
        committer: Committer,
        assigned: AssignedPartitions,
        metrics: Metrics,
        clock_ms: Callable[[], int],
    ) -> None:
        self._admission, self._writer_schemas, self._committer = admission, writer_schemas, committer
        self._assigned, self._metrics, self._clock_ms = assigned, metrics, clock_ms
        self._transactions = asyncio.Semaphore(CONCURRENT_TRANSACTIONS)
        self._poison_records = 0

    async def process_round(self, slices: Sequence[Slice]) -> None:
        """Process slices in several transactions. Those of one topic are of different partitions.

        Where partitions tell each other of who is who, each transaction has a part of all slices, and what they tell is
        delivered before the next one. Else each has all slices of its partitions, and two are under way at once.
        """
        for each in slices:
            if each.topic != EXCHANGE:
                await self._writer_schemas.learn(each.partition, each.records)
        if not self._committer.exchanges:
            await gather_or_cancel([self._process_group(group) for group in group_slices(slices)])
            return
        for group in group_parts(slices):
            await self._process_group(group)
            await self._committer.deliver(self._clock_ms())

    async def _process_group(self, slices: Sequence[Slice]) -> None:
        async with self._transactions:
            await self._process(slices)
        done_ms, now = self._clock_ms(), time.monotonic()
        for each in slices:
            if (assigned := self._assigned.get(each.partition)) is not None:
                assigned.active_at = now
                self._metrics.latencies([record.timestamp for record in each.records], done_ms, each.topic)

    async def _process(self, slices: Sequence[Slice]) -> None:
        """Process slices in one transaction; after an error that a record may have caused, in smaller ones."""
        ours = [each for each in slices if each.partition in self._assigned]
        if not ours:
            return
        before = [self._assigned[each.partition] for each in ours]
        try:
            await self._admit_and_commit(ours)
            return
        except Exception as error:
            is_committed = any(
                assigned.position.next_offset_of(each.topic) > each.first_offset
                for assigned, each in zip(before, ours, strict=True)
            )
            if (
                is_committed
                or all(each.topic == EXCHANGE for each in ours)
                or not may_be_poison(error)
                or self._poison_records >= MAX_POISON_RECORDS
            ):
                raise
            rejection = poison_rejection(error)
        positions = {assigned.position.partition: assigned.position for assigned in before}
        await self._committer.begin(list(positions.values()))  # their states are ahead of the ledger
        smaller = bisect(ours)
        for group in smaller:
            await self._process(group)
        if not smaller:
            await self._refuse(ours[0], rejection)

    async def _admit_and_commit(self, slices: Sequence[Slice]) -> None:
        began, now_ms = time.perf_counter(), self._clock_ms()
        arrived = [each for each in slices if each.topic != EXCHANGE]
        admitted = {each.partition: each for each in self._admission.admit(arrived, self._writer_schemas.known, now_ms)}
        for each in slices:
            if each.topic == EXCHANGE:
                unchanged = AdmittedSlice(each.partition, self._assigned[each.partition].state.next_offset)
                admitted[each.partition] = with_messages(
                    admitted.get(each.partition, unchanged), each, self._committer.ledger_id
                )
        await self._committer.advance(list(admitted.values()), now_ms, began)

    async def _refuse(self, poison: Slice, rejection: Rejected) -> None:
        began, [record] = time.perf_counter(), poison.records
        self._poison_records += 1
        log.error(
            "a record can't be processed", partition=poison.partition, offset=record.offset, error=rejection.detail
        )
        refused = AdmittedSlice(poison.partition, poison.end, refused=[Refused(record, rejection)])
        await self._committer.advance([refused], self._clock_ms(), began)
