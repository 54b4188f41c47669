"""One worker's work: slices of its partitions through the core into the ledger, and out again as records."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog

from pipeline.contract.reject import Rejected
from pipeline.failpoint import Reached
from pipeline.flow.admit import Door
from pipeline.flow.advance import Models
from pipeline.flow.state import Partition
from pipeline.flow.values import Admission, Batch, ChurnRow, Refused, Work
from pipeline.ledger import customers, positions, sweep
from pipeline.observe.metrics import Metrics
from pipeline.retry import Retry
from pipeline.stream.commits import Commits
from pipeline.stream.owned import Owned
from pipeline.stream.silence import Silence
from pipeline.stream.slices import Slice
from pipeline.stream.together import run_all
from pipeline.stream.unprocessable import MOST, halves, may_be_a_records, refusal
from pipeline.stream.work import Part, portions
from pipeline.stream.writers import WriterCache
from pipeline.topics import TOUCHPOINTS

log = structlog.get_logger()

#: Journeys closed, and customers moved to another band, in one transaction.
_MOST_DUE = 5_000
#: So many transactions are under way at once, each with partitions of its own: the database works on one of them while
#: the worker prepares the other.
ABREAST = 2


class Worker:
    """Handles what Faust delivers: one round of slices, one tick or one taking of partitions after the other.

    `clock_ms` gives epoch milliseconds, `rewind` makes the consumer read a partition again from an offset, `earliest`
    gives the first offset that the topic still has of a partition.
    """

    def __init__(
        self,
        *,
        commits: Commits,
        silence: Silence,
        door: Door,
        writers: WriterCache,
        models: Models | None,
        grace_ms: int,
        metrics: Metrics,
        retry: Retry,
        owner: str,
        idle_s: float,
        rewind: Callable[[int, int], Awaitable[None]],
        earliest: Callable[[int], Awaitable[int]],
        reached: Reached,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._commits, self._silence, self._door, self._writers, self._models = commits, silence, door, writers, models
        self._grace_ms, self._metrics, self._retry = grace_ms, metrics, retry
        self._owner, self._idle_s, self._rewind, self._earliest = owner, idle_s, rewind, earliest
        self._reached, self._clock_ms = reached, clock_ms
        self._abreast = asyncio.Semaphore(ABREAST)
        self._unprocessable = 0
        self.owned = commits.held

    async def take(self, assigned: Callable[[], set[int]]) -> dict[int, int]:
        """Take partitions, finish publishing what earlier owners committed; partition → where to read on.

        What is known of a partition is kept if nobody else had it in between. `assigned` is asked when it is this
        call's turn: by then the group may have given a partition to somebody else, who would be fenced off.
        """
        async with self._commits.turn:
            partitions = assigned()
            for number in set(self.owned) - partitions:
                self.owned.drop(number)
            claims, others = await self._commits.ask(lambda c: positions.take(c, TOUCHPOINTS, partitions, self._owner))
            self._reached("taking")
            fresh = []
            for claim in claims:
                known = self.owned.get(claim.partition)
                if known is None or known.claim._replace(epoch=claim.epoch) != claim:
                    self.owned.drop(claim.partition)
                    fresh.append(self.owned.adopt(claim))
                else:
                    known.claim, known.moved_at = claim, time.monotonic()
            await self._commits.take_over(fresh, others)
            counts = await self._commits.ask(lambda c: customers.count_open(c, partitions))
            self._metrics.open_journeys.set(sum(counts.values()))
            self.owned.show()
            log.info("partitions taken", partitions=sorted(partitions))
            return {claim.partition: claim.next_offset for claim in claims}

    async def handle(self, piece: Slice) -> bool:
        """Process a slice and those that go with it; whether it is committed, and not left to somebody else.

        The others are found to be processed when it is their turn.
        """
        async with self._commits.turn:
            owned = self.owned.get(piece.partition)
            if owned is None:
                return False
            if piece.offset < owned.state.next_offset:
                return True
            if piece.begin > owned.state.next_offset:
                # A slice was lost on its way, as when a rebalance begins and ends with the same partitions.
                await self._rewind(piece.partition, owned.state.next_offset)
                return False
            works = [work for each in piece.together() if (work := await self._work(each)) is not None]
            await run_all([self._portion(some) for some in portions(works)])
            await self._commits.tidy()
            still = self.owned.get(piece.partition)
            return still is not None and piece.offset < still.claim.next_offset

    async def _work(self, piece: Slice) -> Work | None:
        """What there is to do of a slice, if it is the next one of its partition."""
        owned = self.owned.get(piece.partition)
        if owned is None or not piece.begin <= owned.state.next_offset <= piece.offset:
            return None
        if piece.first_offset > piece.begin:
            await self._tell_expired(owned)
        records = piece.records
        if piece.first_offset < owned.state.next_offset:
            records = [record for record in records if record.offset >= owned.state.next_offset]
        await self._writers.learn(records)
        return Work(piece.partition, records, piece.end)

    async def _portion(self, works: Sequence[Work]) -> None:
        async with self._abreast:
            await self._process(works)
        done_ms, now = self._clock_ms(), time.monotonic()
        for number, records, _ in works:
            if (still := self.owned.get(number)) is not None:
                still.moved_at = now
                self._metrics.latencies([record.timestamp for record in records], done_ms)

    async def _process(self, works: Sequence[Work]) -> None:
        """Process records of partitions together. One that breaks the work is found by halving, and refused."""
        mine = [(self.owned[work.partition], work) for work in works if work.partition in self.owned]
        if not mine:
            return
        try:
            await self._admit(mine)
            return
        except Exception as error:
            is_committed = any(owned.claim.next_offset > work.records[0].offset for owned, work in mine)
            if is_committed or not may_be_a_records(error) or self._unprocessable >= MOST:
                raise
            why = refusal(error)
        for owned, _ in mine:
            self.owned.adopt(owned.claim)  # its state is ahead of the ledger
        less = halves([work for _, work in mine])
        for some in less:
            await self._process(some)
        if not less:
            await self._refuse(mine[0][1], why)

    async def _admit(self, mine: Sequence[tuple[Owned, Work]]) -> None:
        began, now_ms = time.perf_counter(), self._clock_ms()
        admissions = self._door.admit([work for _, work in mine], self._writers.known, now_ms)
        parts = [Part(owned, admission) for (owned, _), admission in zip(mine, admissions, strict=True)]
        await self._commits.step(parts, now_ms, began)

    async def _refuse(self, work: Work, why: Rejected) -> None:
        began, [record] = time.perf_counter(), work.records
        self._unprocessable += 1
        log.error("a record can't be processed", partition=work.partition, offset=record.offset, error=why.detail)
        refused = Admission(work.end, [], [Refused(record, why)], [])
        await self._commits.step([Part(self.owned[work.partition], refused)], self._clock_ms(), began)

    async def tick(self, caught_up: Callable[[int, int], bool]) -> None:
        """What goes on beside events: journeys close, silence is noticed, confirmed outbox rows go.

        `caught_up` says of a partition and its next offset whether the topic has no more.
        """
        async with self._commits.turn:
            self._commits.send_soon()
            now = time.monotonic()
            idle = {
                number
                for number, owned in self.owned.items()
                if now - owned.moved_at >= self._idle_s and caught_up(number, owned.state.next_offset)
            }
            await self._close_due(idle)
            await self._tell(self._silence.found(list(self.owned), self._clock_ms()))
            if self.owned and self._commits.interrupted:
                await self._commits.publish_anew()
            if idle:
                await self._commits.settle()
            self._commits.collect()

    async def _close_due(self, idle: set[int]) -> None:
        """Close the journeys that event time has passed; that of idle partitions is the wall clock's."""
        clock_ms = self._clock_ms()
        passed = {
            number: max(owned.state.watermark, clock_ms) if number in idle else owned.state.watermark
            for number, owned in self.owned.items()
        }
        began = time.perf_counter()
        due = await self._due(passed)
        parts = [
            Part(owned, Admission(owned.state.next_offset, [], [], []), due[number], number in idle)
            for number, owned in self.owned.items()
            if number in due
        ]
        if parts:
            await self._commits.step(parts, clock_ms, began)
            await self._commits.tidy()

    async def has_work(self, caught_up: Callable[[int, int], bool]) -> bool:
        """Whether there are records to read or journeys to close."""
        async with self._commits.turn:
            if not all(caught_up(number, owned.state.next_offset) for number, owned in self.owned.items()):
                return True
            now = self._clock_ms()
            return bool(await self._due({n: max(now, owned.state.watermark) for n, owned in self.owned.items()}))

    async def close(self) -> None:
        """Wait until what was published is confirmed, and say so in the ledger."""
        async with self._commits.turn:
            await self._commits.close()
            await self._silence.close()

    async def sweep(self) -> None:
        """Publish all whom silence has moved into another band by now."""
        async with self._commits.turn:
            while self.owned and self._models and (names := await self._look()):
                await self._tell(names)

    async def _look(self) -> list[str]:
        return await self._retry.run("database", lambda: self._silence.look(list(self.owned), self._clock_ms()))

    async def _tell(self, names: Sequence[str]) -> None:
        """Publish the risk of customers whom silence has moved, if they have not been seen since that was found."""
        if (models := self._models) is None:
            return
        for first in range(0, len(names), _MOST_DUE):
            some, now_ms, numbers = names[first : first + _MOST_DUE], self._clock_ms(), list(self.owned)
            began = time.perf_counter()
            found = await self._commits.ask(
                partial(sweep.slipped, partitions=numbers, now_ms=now_ms, model=models.churn, names=some)
            )
            done = []
            for number, rows in found.items():
                owned = self.owned[number]
                for row in rows:
                    if (known := owned.state.customers.get(row.customer)) is not None:
                        known.risk_as_of = row.as_of
                done.append((owned, _only_churn(owned.state, rows)))
            if done:
                await self._commits.commit(done, began)
                await self._commits.tidy()

    async def _tell_expired(self, owned: Owned) -> None:
        """Offsets can be missing because they were never records (a transaction's marks), or because they are gone."""
        number = owned.claim.partition
        gone = await self._earliest(number) - owned.state.next_offset
        if gone > 0:
            log.warning("records were deleted before they were read", partition=number, records=gone)
            self._metrics.expired.inc(gone)

    async def _due(self, watermarks: dict[int, int]) -> dict[int, dict[str, int]]:
        return await self._commits.ask(lambda c: customers.due(c, watermarks, self._grace_ms, _MOST_DUE))


def _only_churn(state: Partition, rows: list[ChurnRow]) -> Batch:
    """A batch that moves nothing on but churn risks."""
    return Batch(
        partition=state.number,
        next_offset=state.next_offset,
        watermark=state.watermark,
        journeys=[],
        satisfaction=[],
        churn=rows,
        counts={},
        refused=[],
        forwarded=[],
        processed=0,
        duplicates=0,
        late={},
        by_channel={},
        opened=0,
        closed=0,
        merged=0,
        open_change=0,
    )
