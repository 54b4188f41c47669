"""One worker's work: slices of its partitions through the core into the ledger, and out again as records."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.failpoint import Reached
from pipeline.flow.admit import Door
from pipeline.flow.advance import Models, advance, wanted
from pipeline.flow.state import Partition, forget
from pipeline.flow.values import Admission, Batch, ChurnRow, Received, Refused
from pipeline.ledger import commit as ledger
from pipeline.ledger import customers, positions, sweep
from pipeline.ledger.positions import Claim, Fenced
from pipeline.ledger.session import Session
from pipeline.observe.health import Health
from pipeline.observe.metrics import Metrics
from pipeline.retry import Retry
from pipeline.stream.outlet import Outlet
from pipeline.stream.owned import Owned
from pipeline.stream.publication import Publication
from pipeline.stream.records import Records
from pipeline.stream.silence import Silence
from pipeline.stream.slices import Slice
from pipeline.stream.transactions import Interrupted
from pipeline.stream.unprocessable import MOST, may_be_a_records, refusal
from pipeline.stream.writers import WriterCache
from pipeline.topics import TOUCHPOINTS

log = structlog.get_logger()
T = TypeVar("T")

#: Journeys closed, and customers moved to another band, in one transaction.
_MOST_DUE = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How a worker bounds itself."""

    #: Customers kept in memory, over all partitions.
    customers: int = 50_000
    #: Seconds without a record after which a partition that has caught up follows the wall clock.
    idle_s: float = 5.0


class Worker:
    """Handles what Faust delivers. All of its steps run one after the other, under one lock.

    `clock_ms` gives epoch milliseconds, `rewind` makes the consumer read a partition again from an offset, `earliest`
    gives the first offset that the topic still has of a partition.
    """

    def __init__(
        self,
        *,
        session: Session,
        silence: Silence,
        door: Door,
        writers: WriterCache,
        models: Models | None,
        grace_ms: int,
        records: Records,
        publication: Publication,
        metrics: Metrics,
        health: Health,
        retry: Retry,
        owner: str,
        limits: Limits,
        rewind: Callable[[int, int], Awaitable[None]],
        earliest: Callable[[int], Awaitable[int]],
        reached: Reached,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._session, self._silence, self._door, self._writers, self._models = session, silence, door, writers, models
        self._grace_ms, self._outlet = grace_ms, Outlet(publication, records, self._ask, retry)
        self._metrics, self._health, self._retry = metrics, health, retry
        self._owner, self._limits, self._rewind, self._earliest = owner, limits, rewind, earliest
        self._reached, self._clock_ms = reached, clock_ms
        self._turn = asyncio.Lock()
        self._unprocessable = 0
        self.owned: dict[int, Owned] = {}

    async def take(self, assigned: Callable[[], set[int]]) -> dict[int, int]:
        """Take partitions, finish publishing what earlier owners committed; partition → where to read on.

        What is known of a partition is kept if nobody else had it in between. `assigned` is asked when it is this
        call's turn: by then the group may have given a partition to somebody else, who would be fenced off.
        """
        async with self._turn:
            partitions = assigned()
            for number in set(self.owned) - partitions:
                self._drop(number)
            claims, others = await self._ask(lambda c: positions.take(c, TOUCHPOINTS, partitions, self._owner))
            self._reached("taking")
            fresh = []
            for claim in claims:
                known = self.owned.get(claim.partition)
                if known is None or known.claim._replace(epoch=claim.epoch) != claim:
                    self._drop(claim.partition)
                    fresh.append(self._adopt(claim))
                else:
                    known.claim, known.moved_at = claim, time.monotonic()
            await self._take_over(fresh, others)
            counts = await self._ask(lambda c: customers.count_open(c, partitions))
            self._metrics.open_journeys.set(sum(counts.values()))
            self._metrics.assigned.set(len(self.owned))
            self._health.assigned = bool(self.owned)
            log.info("partitions taken", partitions=sorted(partitions))
            return {claim.partition: claim.next_offset for claim in claims}

    def _adopt(self, claim: Claim) -> Owned:
        state = Partition(claim.partition, claim.next_offset, claim.watermark)
        owned = self.owned[claim.partition] = Owned(claim, state, time.monotonic())
        return owned

    async def handle(self, piece: Slice) -> None:
        """Process one slice: when this returns, it is committed (or not ours any more)."""
        async with self._turn:
            owned = self.owned.get(piece.partition)
            if owned is None or piece.offset < owned.state.next_offset:
                return
            if piece.begin > owned.state.next_offset:
                # A slice was lost on its way, as when a rebalance begins and ends with the same partitions.
                await self._rewind(piece.partition, owned.state.next_offset)
                return
            if piece.first_offset > piece.begin:
                await self._tell_expired(owned)
            records = piece.records
            if piece.first_offset < owned.state.next_offset:
                records = [record for record in records if record.offset >= owned.state.next_offset]
            await self._writers.learn(records)
            await self._process(piece.partition, records, piece.end)
            if (still := self.owned.get(piece.partition)) is not None:
                still.moved_at = time.monotonic()
                self._metrics.latencies([record.timestamp for record in records], self._clock_ms())

    async def _process(self, number: int, records: Sequence[Received], end: int) -> None:
        """Process consecutive records up to offset `end`. One that breaks the work is found by halving, and refused."""
        if (owned := self.owned.get(number)) is None:
            return
        began, now_ms = time.perf_counter(), self._clock_ms()
        try:
            admission = self._door.admit(records, number, self._writers.known, now_ms, end)
            await self._step(owned, admission, {}, now_ms, began)
            return
        except Exception as error:
            is_committed = owned.claim.next_offset > records[0].offset
            if is_committed or not may_be_a_records(error) or self._unprocessable >= MOST:
                raise
            owned = self._adopt(owned.claim)  # its state is ahead of the ledger
            if len(records) == 1:
                self._unprocessable += 1
                why = refusal(error)
                log.error("a record can't be processed", partition=number, offset=records[0].offset, error=why.detail)
                refused = Admission(end, [], [Refused(records[0], why)], [])
                await self._step(owned, refused, {}, now_ms, began)
                return
        middle = len(records) // 2
        await self._process(number, records[:middle], records[middle].offset)
        await self._process(number, records[middle:], end)

    async def tick(self, caught_up: Callable[[int, int], bool]) -> None:
        """What goes on beside events: journeys close, silence is noticed, confirmed outbox rows go.

        `caught_up` says of a partition and its next offset whether the topic has no more.
        """
        async with self._turn:
            now = time.monotonic()
            idle = {
                number
                for number, owned in self.owned.items()
                if now - owned.moved_at >= self._limits.idle_s and caught_up(number, owned.state.next_offset)
            }
            await self._close_due(idle)
            await self._tell(self._silence.found(list(self.owned), self._clock_ms()))
            if self.owned and self._outlet.interrupted:
                await self._publish_anew()
            if idle:
                await self._settle()

    async def _close_due(self, idle: set[int]) -> None:
        """Close the journeys that event time has passed; that of idle partitions is the wall clock's."""
        clock_ms = self._clock_ms()
        passed = {
            number: max(owned.state.watermark, clock_ms) if number in idle else owned.state.watermark
            for number, owned in self.owned.items()
        }
        for number, found in (await self._due(passed)).items():
            began = time.perf_counter()
            if (owned := self.owned.get(number)) is None:
                continue
            nothing = Admission(owned.state.next_offset, [], [], [])
            await self._step(owned, nothing, found, clock_ms, began, idle=number in idle)

    async def has_work(self, caught_up: Callable[[int, int], bool]) -> bool:
        """Whether there are records to read or journeys to close."""
        async with self._turn:
            if not all(caught_up(number, owned.state.next_offset) for number, owned in self.owned.items()):
                return True
            now = self._clock_ms()
            return bool(await self._due({n: max(now, owned.state.watermark) for n, owned in self.owned.items()}))

    async def close(self) -> None:
        """Wait until what was published is confirmed, and say so in the ledger."""
        async with self._turn:
            with contextlib.suppress(Interrupted):
                await self._outlet.settle()
                await self._strike_off()
            await self._outlet.close()
            self.owned.clear()
            await self._silence.close()
            await self._session.close()

    async def _step(
        self, owned: Owned, admission: Admission, due: dict[str, int], now_ms: int, began: float, *, idle: bool = False
    ) -> None:
        """load ▶ dedupe ▶ sessionize ▶ score ▶ one transaction ▶ publish."""
        state = owned.state
        missing = wanted(state, admission, due)
        if missing:
            state.customers.update(await self._ask(lambda c: customers.load(c, missing)))
        batch = advance(
            state, admission, due=due, now_ms=now_ms, idle=idle, grace_ms=self._grace_ms, models=self._models
        )
        forget([each.state for each in self.owned.values()], self._limits.customers)
        await self._commit(owned, batch, began)

    async def _commit(self, owned: Owned, batch: Batch, began: float) -> None:
        number = batch.partition
        self._reached("before_commit")
        try:
            owned.claim = await self._write(owned.claim, batch)
        except Fenced:
            self._fenced_off(number)
            return
        except BaseException:
            self._drop(number)  # its state is ahead of the ledger
            raise
        self._reached("after_commit")
        self._metrics.committed(batch, time.perf_counter() - began)
        try:
            await self._outlet.send(owned, batch)
        except Interrupted:
            await self._publish_anew()
        self._show_unpublished()

    async def _write(self, claim: Claim, batch: Batch) -> Claim:
        """Commit, again if need be: a connection can be lost, with the commit under way or already made."""
        published = self._outlet.confirmed(self.owned[batch.partition])

        async def attempt(connection: AsyncConnection) -> Claim:
            try:
                return await ledger.commit(connection, claim, batch, published)
            except Fenced:
                return await positions.after(connection, claim)

        return await self._ask(attempt)

    async def sweep(self) -> None:
        """Publish all whom silence has moved into another band by now."""
        async with self._turn:
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
            found = await self._ask(
                partial(sweep.slipped, partitions=numbers, now_ms=now_ms, model=models.churn, names=some)
            )
            for number, rows in found.items():
                began = time.perf_counter()
                if (owned := self.owned.get(number)) is None:
                    continue
                for row in rows:
                    if (known := owned.state.customers.get(row.customer)) is not None:
                        known.risk_as_of = row.as_of
                await self._commit(owned, _only_churn(owned.state, rows), began)

    async def _settle(self) -> None:
        try:
            await self._outlet.settle()
        except Interrupted:
            await self._publish_anew()
        await self._strike_off()
        self._show_unpublished()

    async def _strike_off(self) -> None:
        """Drop the outbox rows of what is published, where no batch does so on its way."""
        for number, owned in self.owned.items():
            if confirmed := self._outlet.confirmed(owned):
                await self._ask(partial(ledger.clear_outbox, claim=owned.claim, published=confirmed))
                self._outlet.forget(number)

    async def _publish_anew(self) -> None:
        await self._take_over([], set())

    async def _take_over(self, fresh: list[Owned], others: set[str]) -> None:
        for number in await self._outlet.take_over(self.owned.values(), fresh, others):
            self._fenced_off(number)

    async def _tell_expired(self, owned: Owned) -> None:
        """Offsets can be missing because they were never records (a transaction's marks), or because they are gone."""
        number = owned.claim.partition
        gone = await self._earliest(number) - owned.state.next_offset
        if gone > 0:
            log.warning("records were deleted before they were read", partition=number, records=gone)
            self._metrics.expired.inc(gone)

    def _show_unpublished(self) -> None:
        for owned in self.owned.values():
            self._outlet.confirmed(owned)
        self._metrics.unpublished.set(sum(sum(o.unpublished.values()) for o in self.owned.values()))

    def _fenced_off(self, number: int) -> None:
        log.warning("fenced off: another worker has taken the partition", partition=number)
        self._metrics.fenced.inc()
        self._drop(number)

    def _drop(self, number: int) -> None:
        self.owned.pop(number, None)
        self._outlet.forget(number)
        self._metrics.forget(number)
        self._metrics.assigned.set(len(self.owned))
        self._health.assigned = bool(self.owned)

    async def _due(self, watermarks: dict[int, int]) -> dict[int, dict[str, int]]:
        return await self._ask(lambda c: customers.due(c, watermarks, self._grace_ms, _MOST_DUE))

    async def _ask(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Ask the ledger, again if it is away for a moment."""
        return await self._retry.run("database", lambda: self._session.run(work))


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
