"""Committing: admitted slices become batches, each group of them one transaction, which is then published."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from pipeline.contract.partition import partitions_of
from pipeline.failpoint import Reached
from pipeline.flow.advance import advance, customers_to_load
from pipeline.flow.exchange import Message, write_barrier
from pipeline.flow.identities import IdentityRules, segments_of
from pipeline.flow.identity_effects import aside_key
from pipeline.flow.identity_needs import (
    AsidePoint,
    Span,
    aside_to_load,
    concerned_by,
    omitted_to_load,
    shortened,
    windows_to_load,
)
from pipeline.flow.identity_rows import AsideRow, RestatementRow, by_key
from pipeline.flow.joined_customer import Readmit
from pipeline.flow.long_journeys import Shortening
from pipeline.flow.portions import is_small, next_share
from pipeline.flow.refold import Refold
from pipeline.flow.state import Partition, forget_customers
from pipeline.flow.telling import tell_within
from pipeline.flow.values import AdmittedSlice, Batch, Restatement
from pipeline.identity.correction import Correction
from pipeline.identity.correction_log import CorrectionLog
from pipeline.journey.journey import Journey
from pipeline.ledger.commit import Commit
from pipeline.ledger.positions import Fenced, Position
from pipeline.ledger.protocol import Ledger
from pipeline.observe.metrics import Metrics
from pipeline.processing.assignment import AssignedPartitions
from pipeline.processing.case_updates import CaseUpdates
from pipeline.processing.direct_routes import DirectRoutes
from pipeline.processing.journey_pages import journey_pages
from pipeline.publishing.outbox import OutboxPublisher
from pipeline.scores.protocol import ActiveScore

#: Number of times that what partitions tell directly is delivered before it is the turn of something else. What follows
#: from it goes up the ranks of keys, and what follows from that takes one more each.
_MAX_DELIVERIES = 20


class Committer:
    """Makes batches of assigned partitions and commits them. `Worker` holds the lock under which it is used.

    Several commits may be under way at once, with different partitions each. Up to `max_customers` are kept in
    memory, or those that the commits under way need.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        assigned: AssignedPartitions,
        outbox: OutboxPublisher,
        scores: Sequence[ActiveScore],
        grace_ms: int,
        identity: IdentityRules | None,
        cases: CaseUpdates | None,
        max_customers: int,
        routes: DirectRoutes,
        metrics: Metrics,
        reached: Reached,
    ) -> None:
        self._ledger, self._assigned, self._outbox, self._routes = ledger, assigned, outbox, routes
        #: The scores with the models that they are made with; may be exchanged while nothing is under way.
        self.scores = scores
        self._grace_ms, self._max_customers = grace_ms, max_customers
        self._identity, self._cases = identity, cases
        self._metrics, self._reached = metrics, reached
        self._under_way: set[int] = set()

    async def advance(
        self, slices: Sequence[AdmittedSlice], now_ms: int, began: float, delivers: Collection[int] = ()
    ) -> None:
        """load ▶ advance ▶ commit: process admitted slices of different partitions in one transaction.

        `now_ms` is the clock; `began` is when the work on the slices began, by `perf_counter`. The slices deliver what
        the partitions `delivers`, which are among them, have told directly.
        """
        given = {each.partition for each in slices}
        if self._identity is not None:
            slices = tell_within(slices, self._next_offsets(without=given), self._identity.partitions)
        numbers = {each.partition for each in slices}
        self._under_way |= numbers
        try:
            if self._identity is not None:
                slices = [await self._with_concerned(each) for each in slices]
            await self._load_customers(slices)
            if self._identity is not None:
                slices = await self._with_aside(slices, self._identity.readmit)
            batches = [
                advance(
                    self._assigned[each.partition].state,
                    each,
                    now_ms=now_ms,
                    grace_ms=self._grace_ms,
                    scores=self.scores,
                    identity=self._identity,
                    direct_to=self._routes.targets(each.partition),
                )
                for each in slices
            ]
            for each in slices:
                if each.messages:
                    self._assigned[each.partition].active_at = time.monotonic()
            if any(each.messages for each in slices):
                self._reached("receiving")
            batches = await self._with_cases(batches)
            if await self.commit([self._with_barriers(batch) for batch in batches], began, delivers):
                for each in slices:
                    for barrier in each.barriers:
                        self._routes.note_read(each.partition, barrier)
        except Exception:
            # The caller knows nothing of the others, and their states may be ahead of the ledger.
            await self.begin([each.position for number, each in self._assigned.items() if number in numbers - given])
            raise
        finally:
            self._under_way -= numbers
        self._forget_customers()

    def _next_offsets(self, without: Collection[int]) -> dict[int, int]:
        """Return the next offsets of the partitions that can take part in a commit, beside those it is made for."""
        return {
            number: assigned.state.next_offset
            for number, assigned in self._assigned.items()
            if number not in self._under_way and number not in without
        }

    async def deliver(self, now_ms: int) -> None:
        """Deliver what partitions have told others of this worker directly, and what these tell in turn.

        No commit may be under way.
        """
        self._deliver_by_topic()
        for _ in range(_MAX_DELIVERIES):
            told = {number: each for number, each in self._outbox.undelivered.items() if self._routes.is_open(number)}
            if not told:
                return
            self._reached("delivering")
            messages: dict[int, list[Message]] = {number: [] for number in told}
            for each in told.values():
                for number, message, _ in each:
                    messages.setdefault(number, []).append(message)
            slices = [
                AdmittedSlice(number, self._assigned[number].state.next_offset, messages=those)
                for number, those in messages.items()
            ]
            self._metrics.direct_messages.inc(sum([len(those) for those in messages.values()]))
            await self.advance(slices, now_ms, time.perf_counter(), told.keys())

    def _deliver_by_topic(self) -> None:
        """Let what is kept for barriers go by the exchange topic where they take too long, or are void."""
        for number, told in self._outbox.undelivered.items():
            kept_for_nothing = not self._routes.targets(number)
            if kept_for_nothing or self._routes.give_up(number, len(told), time.monotonic()):
                self._outbox.deliver_by_topic(number)

    def _with_barriers(self, batch: Batch) -> Batch:
        """Return a batch with the barriers that are to follow what it tells by the exchange topic, if anything."""
        changes = batch.identity
        self._routes.note_commit(batch.partition)
        if changes is None or not changes.records or self._identity is None:
            return batch
        if batch.partition in self._outbox.undelivered:
            return batch  # the barrier would come before what is kept
        barriers = self._routes.barriers(batch.partition, time.monotonic())
        records = [write_barrier(barrier, number, self._identity.ledger) for number, barrier in barriers]
        return batch._replace(identity=changes._replace(records=[*changes.records, *records]))

    def tell_by_topic(self) -> None:
        """Let partitions tell each other by the exchange topic, until barriers say that nothing is on its way."""
        self._routes.close()
        self._deliver_by_topic()

    async def _with_cases(self, batches: list[Batch]) -> list[Batch]:
        if self._cases is None:
            return batches
        try:
            return await self._cases.with_cases(batches)
        except BaseException:
            for batch in batches:
                self._assigned.drop(batch.partition)  # its state is ahead
            raise

    @property
    def exchanges(self) -> bool:
        """Return whether the exchange topic is read."""
        return self._identity is not None

    @property
    def ledger_id(self) -> str:
        """Return the id of the tables."""
        return "" if self._identity is None else self._identity.ledger

    async def begin(self, positions: Sequence[Position]) -> None:
        """Begin with partitions as the ledger has them. They are not assigned until all of that is loaded."""
        numbers = [position.partition for position in positions]
        for number in numbers:
            self._assigned.pop(number, None)
        corrections: Mapping[int, Sequence[Correction]] = {}
        waiting: Mapping[int, Sequence[RestatementRow]] = {}
        if self._identity is not None and numbers:
            corrections = await self._ledger.load_corrections(numbers)
            waiting = await self._ledger.load_restatements(numbers)
        for position, number in zip(positions, numbers, strict=True):
            self._assigned.begin(position, CorrectionLog(corrections.get(number, ())), waiting.get(number, ()))

    async def restate(self, now_ms: int, began: float) -> bool:
        """Make a part of what waits to be restated, in one transaction; return whether anything waits still."""
        slices = []
        for number, assigned in self._assigned.items():
            if assigned.state.restatements and number not in self._under_way:
                slices.append(await self._portions(assigned.state))
        if slices:
            await self.advance(slices, now_ms, began)
        waits = any(each.state.restatements for each in self._assigned.values())
        if slices and waits:
            self._reached("restating")
        return waits

    async def _portions(self, state: Partition) -> AdmittedSlice:
        """Return a slice that restates keys, each by a portion, with the namings and scores that this needs."""
        waiting, touchpoints = next_share(state.restatements)
        rebuilt = [row.key for row in waiting if row.rebuild]
        naming_rows, owner_rows = await self._ledger.load_namings(rebuilt) if rebuilt else ([], [])
        namings, owners = by_key(naming_rows), by_key(owner_rows)
        # Where stretches are made anew, touchpoints come later: it is not known yet who holds them.
        ends = {row.key: row.since - 1 if row.rebuild else row.until for row in waiting}
        large = [
            row for row in waiting if not row.rebuild and not is_small(state.customers.get(row.key), row, touchpoints)
        ]
        if large:
            ends |= await self._ledger.portion_ends(large, touchpoints)
        return AdmittedSlice(
            state.number,
            state.next_offset,
            restatements=[
                Restatement(
                    row,
                    ends[row.key],
                    [each.naming for each in namings.get(row.key, ())] if row.rebuild else None,
                    owners.get(row.key, ()),
                    await self._refolded(row.key) if row.refold and row.since > row.until else None,
                )
                for row in waiting
            ],
        )

    async def _refolded(self, customer: str) -> Mapping[str, Any]:
        """Return the states of a customer's scores, made anew."""
        assert self._identity is not None
        refold = Refold(customer, self.scores, self._identity.readmit)
        async for journeys, omitted in journey_pages(self._ledger, customer):
            refold.add(journeys, {row.keys: row.step for row in omitted})
        return refold.states

    async def _with_concerned(self, admitted: AdmittedSlice) -> AdmittedSlice:
        """Return a slice with the keys for which corrections in it change something."""
        if not admitted.messages:
            return admitted
        concerned = concerned_by(admitted.messages, self._assigned[admitted.partition].state.log)
        if not any(concerned):
            return admitted
        keys = await self._ledger.concerned_keys(admitted.partition, concerned)
        assert self._identity is not None
        partitions = partitions_of([key.encode() for key in concerned.customers], self._identity.partitions)
        here = [
            customer
            for customer, partition in zip(concerned.customers, partitions, strict=True)
            if partition == admitted.partition
        ]
        return admitted._replace(concerned=list(dict.fromkeys([*keys, *here])))

    async def _with_aside(self, slices: Sequence[AdmittedSlice], readmit: Readmit) -> list[AdmittedSlice]:
        """Return slices with the touchpoints that they need and that journeys don't show.

        The journeys that they need, of which a customer can have very many, are loaded, too.
        """
        states = [self._assigned[each.partition].state for each in slices]
        needed = [aside_to_load(state, each) for state, each in zip(states, slices, strict=True)]
        points = [point for of_slice, _ in needed for point in of_slice]
        spans = [span for _, of_slice in needed for span in of_slice]
        if points or spans:
            rows = by_key(await self._ledger.load_aside(points, spans))
            slices = [
                each._replace(aside=[row for key in _keys(*needs) for row in rows.get(key, ())])
                for each, needs in zip(slices, needed, strict=True)
            ]
        windows = [windows_to_load(state, each, readmit) for state, each in zip(states, slices, strict=True)]
        if any(windows):
            journeys = await self._ledger.load_windows([window for of_slice in windows for window in of_slice])
            for state, of_slice in zip(states, windows, strict=True):
                for key in _keys(of_slice):
                    state.customers[key].add_known(journeys.get(key, ()))
        return [
            await self._with_omitted(state, each, of_slice, readmit)
            for state, each, (of_slice, _) in zip(states, slices, needed, strict=True)
        ]

    async def _with_omitted(
        self, state: Partition, admitted: AdmittedSlice, points: Sequence[AsidePoint], readmit: Readmit
    ) -> AdmittedSlice:
        """Return a slice with the touchpoints that it needs and that long journeys leave out."""
        shorter, rows = await self._shorten(state, admitted, readmit)
        if spans := omitted_to_load(state, points, admitted, shorter):
            rows += await self._ledger.load_aside([], spans)
        if rows:
            aside = {aside_key(row): row for row in (*admitted.aside, *rows)}
            admitted = admitted._replace(aside=list(aside.values()))
        return admitted

    async def _shorten(
        self, state: Partition, admitted: AdmittedSlice, readmit: Readmit
    ) -> tuple[list[Journey], list[AsideRow]]:
        """Return the long journeys that need not be loaded as a whole, and the rows that they need."""
        assert self._identity is not None
        shorter: list[Journey] = []
        rows: list[AsideRow] = []
        for journey, until in shortened(state, admitted):
            key = journey.customer
            aside = [row for row in admitted.aside if row.key == key]
            segments = segments_of(state.customers[key], state.log, self._identity.policy)
            shortening = Shortening(journey, until, aside, segments, readmit)
            following: list[AsideRow] = []
            if not shortening.is_empty:
                following = await self._ledger.load_following(key, until, shortening.reach)
                if not shortening.suffices(following):
                    continue
            shorter.append(journey)
            rows += following
        return shorter, rows

    async def _load_customers(self, slices: Sequence[AdmittedSlice]) -> None:
        missing = [customers_to_load(self._assigned[each.partition].state, each) for each in slices]
        if any(missing):
            loaded = await self._ledger.load_customers({name: at for names in missing for name, at in names.items()})
            for each, names in zip(slices, missing, strict=True):
                customers = self._assigned[each.partition].state.customers
                customers.update({name: loaded[name] for name in names})

    def _forget_customers(self) -> None:
        """Forget the excess of customers, except those of partitions whose commit is under way."""
        busy = [len(each.state.customers) for number, each in self._assigned.items() if number in self._under_way]
        resting = [each.state for number, each in self._assigned.items() if number not in self._under_way]
        forget_customers(resting, max(0, self._max_customers - sum(busy)))

    async def commit(self, batches: Sequence[Batch], began: float, delivers: Collection[int] = ()) -> bool:
        """Commit batches of different partitions in one transaction; return whether they are committed.

        They are published along with the next commit, or soon. While this one is under way in the ledger, those of the
        commit before are published. The batches deliver what the partitions `delivers` have told directly.
        """
        self._reached("before_commit")
        commits = [self._pending(batch, batch.partition in delivers) for batch in batches]
        writing = asyncio.create_task(self._ledger.commit(commits))
        try:
            await asyncio.sleep(0)  # until the statement is on its way
            await self._outbox.send_held()
            positions = await writing
        except Fenced:
            self._drop_all(commits)
            await self._note_fenced(commits)
            return False
        except BaseException:
            writing.cancel()
            self._drop_all(commits)
            await asyncio.wait({writing})
            raise
        for number in delivers:
            self._outbox.delivered(number)
        for position, batch in zip(positions, batches, strict=True):
            self._assigned[batch.partition].position = position
            self._outbox.hold(position, batch)
        self._reached("after_commit")
        self._metrics.committed(batches, time.perf_counter() - began)
        return True

    def _pending(self, batch: Batch, delivers: bool) -> Commit:
        number = batch.partition
        undelivered_since = self._outbox.undelivered_since(number) if delivers else None
        return Commit(self._assigned[number].position, batch, self._outbox.confirmed(number), undelivered_since)

    def _drop_all(self, commits: Sequence[Commit]) -> None:
        """Drop the partitions of commits that failed, before anything is waited for: their states are ahead."""
        for commit in commits:
            self._assigned.drop(commit.position.partition)

    async def _note_fenced(self, commits: Sequence[Commit]) -> None:
        """Say which partitions another worker has taken, at least one; the others are soon taken again."""
        for commit in commits:
            try:
                await self._ledger.current_position(commit.position)
            except Fenced:
                self._assigned.drop_fenced(commit.position.partition)


def _keys(*needed: Iterable[AsidePoint | Span]) -> list[str]:
    """Return the keys of which something is needed, each once."""
    return list(dict.fromkeys([each.key for some in needed for each in some]))
