"""One worker's work: slices of its partitions through the core into the ledger, and out again as records."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.flow.admit import Door
from pipeline.flow.advance import Models, advance, wanted
from pipeline.flow.state import Partition
from pipeline.flow.values import Admission, Batch, ChurnRow
from pipeline.ledger import commit as ledger
from pipeline.ledger import customers, outbox, positions, sweep
from pipeline.ledger.positions import Claim, Fenced
from pipeline.ledger.session import Session
from pipeline.observe.health import Health
from pipeline.observe.metrics import Metrics
from pipeline.retry import Retry
from pipeline.stream.publication import Publication
from pipeline.stream.records import Records, dead_letter, dead_letters, forwards
from pipeline.stream.slices import Slice
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
    customers: int = 200_000
    #: Seconds without a record after which a partition that has caught up follows the wall clock.
    idle_s: float = 5.0
    #: Seconds between two sweeps for customers whom silence has moved into another band.
    sweep_s: float = 60.0


@dataclass(slots=True)
class Owned:
    """A partition that this worker has taken."""

    claim: Claim
    state: Partition
    moved_at: float
    gap_seen: tuple[int, int] | None = None
    unpublished: dict[int, int] = field(default_factory=dict)


class Worker:
    """Handles what Faust delivers. All of its steps run one after the other, under one lock.

    `clock_ms` gives epoch milliseconds, `rewind` makes the consumer read a partition again from an offset.
    """

    def __init__(
        self,
        *,
        session: Session,
        door: Door,
        writers: WriterCache,
        models: Models,
        grace_ms: int,
        records: Records,
        publication: Publication,
        metrics: Metrics,
        health: Health,
        retry: Retry,
        owner: str,
        limits: Limits,
        rewind: Callable[[int, int], Awaitable[None]],
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._session, self._door, self._writers, self._models = session, door, writers, models
        self._grace_ms, self._records, self._publication = grace_ms, records, publication
        self._metrics, self._health, self._retry = metrics, health, retry
        self._owner, self._limits, self._rewind, self._clock_ms = owner, limits, rewind, clock_ms
        self._turn = asyncio.Lock()
        self._swept_at = time.monotonic()
        self.owned: dict[int, Owned] = {}

    async def take(self, partitions: set[int]) -> dict[int, int]:
        """Take partitions, finish publishing what earlier owners committed; partition → where to read on.

        What is known of a partition is kept if nobody else had it in between.
        """
        async with self._turn:
            for number in set(self.owned) - partitions:
                self._drop(number)
            claims = await self._ask(lambda c: positions.take(c, TOUCHPOINTS, partitions, self._owner))
            most = max(1, self._limits.customers // max(1, len(claims)))
            now = time.monotonic()
            for claim in claims:
                known = self.owned.get(claim.partition)
                if known is None or known.claim._replace(epoch=claim.epoch) != claim:
                    self._drop(claim.partition)
                    state = Partition(claim.partition, claim.next_offset, claim.watermark, most)
                    self.owned[claim.partition] = Owned(claim, state, now)
                else:
                    known.claim, known.moved_at, known.gap_seen = claim, now, None
                    known.state.most_customers = most
                await self._publish_rest(self.owned[claim.partition])
            counts = await self._ask(lambda c: customers.count_open(c, partitions))
            self._metrics.open_journeys.set(sum(counts.values()))
            self._metrics.assigned.set(len(self.owned))
            self._health.assigned = bool(self.owned)
            log.info("partitions taken", partitions=sorted(partitions))
            return {claim.partition: claim.next_offset for claim in claims}

    async def handle(self, piece: Slice) -> None:
        """Process one slice: when this returns, it is committed (or not ours any more)."""
        async with self._turn:
            owned = self.owned.get(piece.partition)
            if owned is None or piece.offset < owned.state.next_offset:
                return
            if piece.first_offset > owned.state.next_offset and not await self._gap_is_real(owned, piece):
                return
            began = time.perf_counter()
            records = piece.records
            if piece.first_offset < owned.state.next_offset:
                records = [record for record in records if record.offset >= owned.state.next_offset]
            await self._writers.learn(records)
            now_ms = self._clock_ms()
            admission = self._door.admit(records, piece.partition, self._writers.known, now_ms, piece.offset + 1)
            await self._step(owned, admission, {}, now_ms, began)
            owned.moved_at = time.monotonic()
            self._metrics.latencies([record.timestamp for record in records], self._clock_ms())

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
            if now - self._swept_at >= self._limits.sweep_s:
                # A full sweep leaves the rest to the next tick, so that events are not kept waiting.
                self._swept_at = now if await self._sweep() < _MOST_DUE else self._swept_at
            await self._settle(idle)

    async def _close_due(self, idle: set[int]) -> None:
        """Close the journeys that event time has passed; that of idle partitions is the wall clock's."""
        clock_ms = self._clock_ms()
        passed = {
            number: max(owned.state.watermark, clock_ms) if number in idle else owned.state.watermark
            for number, owned in self.owned.items()
        }
        for number, found in (await self._due(passed)).items():
            began = time.perf_counter()
            owned = self.owned[number]
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
            await self._publication.close()
            await self._settle(self.owned)
            self.owned.clear()
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
        await self._commit(owned, batch, began)

    async def _commit(self, owned: Owned, batch: Batch, began: float) -> None:
        number = batch.partition
        try:
            owned.claim = await self._write(owned.claim, batch)
        except Fenced as fenced:
            log.warning("fenced off", partition=number, why=str(fenced))
            self._metrics.fenced.inc()
            self._drop(number)
            return
        except BaseException:
            self._drop(number)  # its state is ahead of the ledger
            raise
        self._metrics.committed(batch, time.perf_counter() - began)
        owned.unpublished[owned.claim.commits] = len(batch.journeys)
        out = chain(
            self._records.journeys(batch.journeys),
            self._records.satisfaction(batch.satisfaction),
            self._records.churn(batch.churn),
            dead_letters(batch.refused, number),
            forwards(batch.forwarded),
        )
        await self._publication.send(number, owned.claim.commits, out)
        self._note_published(owned)

    async def _write(self, claim: Claim, batch: Batch) -> Claim:
        """Commit; when the connection is lost in between, find out whether it happened before trying again."""
        unsure = False

        async def attempt() -> Claim:
            nonlocal unsure
            try:
                if unsure:
                    now = await self._session.run(lambda connection: positions.current(connection, claim))
                    if now.commits == claim.commits + 1:
                        return now
                published = self._publication.confirmed(batch.partition)
                return await self._session.run(lambda connection: ledger.commit(connection, claim, batch, published))
            except Fenced:
                raise
            except Exception:
                unsure = True
                raise

        return await self._retry.run("database", attempt)

    async def sweep(self) -> None:
        """Publish all whom silence has moved into another band by now."""
        async with self._turn:
            while self.owned and await self._sweep() >= _MOST_DUE:
                pass

    async def _sweep(self) -> int:
        """Publish whom silence has moved into another band; how many, `_MOST_DUE` at the most."""
        numbers = list(self.owned)
        now_ms = self._clock_ms()
        found = await self._ask(lambda c: sweep.slipped(c, numbers, now_ms, self._models.churn, _MOST_DUE))
        for number, rows in found.items():
            began = time.perf_counter()
            owned = self.owned[number]
            for row in rows:
                if (known := owned.state.customers.get(row.customer)) is not None:
                    known.risk_as_of = row.as_of
            await self._commit(owned, _only_churn(owned.state, rows), began)
        await self._ask(self._gauges)
        return sum(map(len, found.values()))

    async def _settle(self, idle: object) -> None:
        """Drop the outbox rows of what is confirmed, where no batch does so on its way."""
        if not idle:
            return
        await self._publication.settle()
        for number, owned in self.owned.items():
            self._note_published(owned)
            confirmed = self._publication.confirmed(number)
            if confirmed:
                await self._ask(partial(ledger.clear_outbox, claim=owned.claim, published=confirmed))
                self._publication.forget(number)

    async def _publish_rest(self, owned: Owned) -> None:
        """Send again what was committed without the broker's confirmation."""
        rest = await self._ask(lambda c: outbox.unpublished(c, owned.claim))
        number = owned.claim.partition
        if rest is None:
            return
        log.info("publishing what an earlier worker committed", partition=number, journeys=len(rest.journeys))
        out = chain(
            self._records.journeys(rest.journeys),
            self._records.satisfaction(rest.satisfaction),
            self._records.churn(rest.churn),
            (dead_letter(r.key, r.value, r.headers, r.reason, r.detail, number, r.offset) for r in rest.refused),
            forwards(rest.forwarded),
        )
        await self._publication.send(number, rest.commit, out)

    async def _gap_is_real(self, owned: Owned, piece: Slice) -> bool:
        """Whether offsets are missing in the topic itself, or a slice was lost on its way: read once more to know."""
        gap = (owned.state.next_offset, piece.first_offset)
        if owned.gap_seen != gap:
            owned.gap_seen = gap
            await self._rewind(piece.partition, owned.state.next_offset)
            return False
        missing = piece.first_offset - owned.state.next_offset
        log.warning("offsets missing in the topic", partition=piece.partition, first=gap[0], records=missing)
        self._metrics.expired.inc(missing)
        return True

    def _note_published(self, owned: Owned) -> None:
        confirmed = self._publication.confirmed(owned.claim.partition)
        for commit in [commit for commit in owned.unpublished if commit <= confirmed]:
            del owned.unpublished[commit]
        self._metrics.unpublished.set(sum(sum(o.unpublished.values()) for o in self.owned.values()))

    def _drop(self, number: int) -> None:
        self.owned.pop(number, None)
        self._publication.forget(number)
        self._metrics.forget(number)
        self._metrics.assigned.set(len(self.owned))
        self._health.assigned = bool(self.owned)

    async def _due(self, watermarks: dict[int, int]) -> dict[int, dict[str, int]]:
        return await self._ask(lambda c: customers.due(c, watermarks, self._grace_ms, _MOST_DUE))

    async def _ask(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Ask the ledger, again if it is away for a moment."""
        return await self._retry.run("database", lambda: self._session.run(work))

    async def _gauges(self, connection: AsyncConnection) -> None:
        self._metrics.set_bands(await sweep.bands(connection, list(self.owned)))
        for channel, mean in (await sweep.satisfaction_means(connection)).items():
            self._metrics.satisfaction.labels(channel).set(mean)


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
