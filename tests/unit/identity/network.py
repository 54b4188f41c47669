"""Several partitions of a pipeline with identity, in memory, that are worked on in any order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple
from zlib import crc32

from memory import ACTIVE_SCORES, NOW, POLICY, Record
from worker_in_memory import InMemory

from pipeline.cases.row import MOVED, CaseRow
from pipeline.catalogue import load
from pipeline.contract.partition import partition_of
from pipeline.flow.exchange_admission import with_messages
from pipeline.flow.slices import Slice
from pipeline.flow.traits import TraitsResolver
from pipeline.flow.values import AdmittedSlice
from pipeline.identity.correction import CORRECTION_KINDS, Correction
from pipeline.identity.naming import EventNaming
from pipeline.identity.policy import IdentityPolicy
from pipeline.journey.admitted import Admitted, Answer
from pipeline.journey.step import KEY_BYTES, Step, event_key, measured
from pipeline.journey.steps import Steps
from pipeline.processing.worker import Worker
from pipeline.topics import EXCHANGE
from pipeline.touchpoint import rank


class Event(NamedTuple):
    """A touchpoint or correction: the keys that it names, in any order."""

    event_id: str
    at: int
    keys: tuple[str, ...]
    kind: str = "page_viewed"
    trust: str = "verified"
    source: str = "test"
    subject: str | None = None
    other: str | None = None
    score: float | None = None
    sequence: int = 0
    begun_by: str | None = None

    @property
    def own(self) -> str:
        """Return its own key."""
        return min(self.keys, key=rank)

    @property
    def case(self) -> str | None:
        """Return what it is about: one of two cases, or none; all copies of a touchpoint agree."""
        return (None, "case-1", "case-2")[crc32(self.event_id.encode()) % 3]

    @property
    def touchpoint(self) -> bytes:
        """Return what identifies it within a customer."""
        return event_key(self.source, self.event_id, self.at)


TRAITS = TraitsResolver(load(), POLICY)


def admitted(event: Event) -> Admitted:
    """A touchpoint as admission gives it."""
    traits = TRAITS.traits("web", event.kind, None, event.begun_by)
    step = Step(event.at, event.sequence, event.touchpoint, traits.types["none"], measured(score=event.score))
    step = step._replace(subject=event.case)
    weaker = tuple(sorted([key for key in event.keys if rank(key) > rank(event.own)], key=rank))
    naming = (
        EventNaming(weaker, event.trust, event.source, event.event_id) if weaker and event.trust != "none" else None
    )
    answer = None if event.score is None else Answer(round(event.score * 1000), False, traits)
    return Admitted(event.own, event.at + traits.gap_ms, step, traits, answer, naming)


def correction(event: Event) -> Correction:
    """A correction as admission gives it."""
    keys = tuple(sorted(event.keys, key=rank))
    return Correction(keys[0], keys, event.kind, event.at, event.source, event.event_id, event.subject, event.other)


@dataclass
class Network:
    """All partitions of both topics, and one worker or two; `rng` decides what is worked on next, and how much of it.

    With `disruptions`, so many times a partition moves to another worker, a worker is killed, publishing is
    interrupted, or a barrier is given up.
    """

    rng: Random
    policy: IdentityPolicy = field(default_factory=IdentityPolicy)
    partitions: int = 3
    workers: int = 1
    disruptions: int = 0

    def __post_init__(self) -> None:
        self.it = InMemory(partitions=self.partitions, identity=self.policy)
        self._all = [self.it, *[self._another(str(n)) for n in range(1, self.workers)]]
        self.events: dict[int, list[Event]] = {number: [] for number in range(self.partitions)}
        self.exchanged: dict[int, list[Record]] = {number: [] for number in range(self.partitions)}
        self._read = 0

    def _another(self, owner: str) -> InMemory:
        return InMemory(
            self.it.ledger, self.it.publisher, owner=owner, partitions=self.partitions, identity=self.policy
        )

    def process(self, events: Iterable[Event]) -> None:
        """Process events, in this order on each partition, until nothing is left to do."""
        for event in events:
            self.events[self._home(event.own)].append(event)
        asyncio.run(self._process())

    def _home(self, key: str) -> int:
        return partition_of(key.encode(), self.partitions)

    async def _process(self) -> None:
        if not self.it.worker.assigned:
            for n, each in enumerate(self._all):
                await each.take(*range(n, self.partitions, len(self._all)))
        done = dict.fromkeys(range(self.partitions), 0)
        while True:
            await self._deliver()
            if self.disruptions and self.rng.random() < 0.2:
                self.disruptions -= 1
                await self._disrupt()
                continue
            assigned = {number: each for it in self._all for number, each in it.worker.assigned.items()}
            waiting = [number for number in done if done[number] < len(self.events[number])]
            told = [n for n in done if assigned[n].state.next_exchange_offset < len(self.exchanged[n])]
            restated = [n for n in done if assigned[n].state.restatements]
            undelivered = [n for it in self._all for n in it.worker._outbox.undelivered]
            choices = [*[("events", n) for n in waiting], *[("exchange", n) for n in told]]
            choices += [("both", n) for n in waiting if n in told]
            choices += [("restate", n) for n in restated[:1]]
            choices += [("deliver", n) for n in undelivered[:1]]
            if not choices:
                break
            what, number = self.rng.choice(choices)
            worker = self._worker(number)
            size = self.rng.choice([1, 1, 2, 5, 100])
            if what == "deliver":
                await worker._committer.deliver(NOW)
            elif what == "restate":
                await worker._committer.restate(NOW, 0.0)
            elif what == "exchange":
                await self._exchange(number, size)
            else:
                some = self.events[number][done[number] : done[number] + size]
                done[number] += len(some)
                admitted_slice = self._slice(number, some)
                if what == "both":
                    arrived = self._told(number, self.rng.choice([1, 2, 100]))
                    admitted_slice = with_messages(admitted_slice, arrived, worker._committer.ledger_id)
                await worker._committer.advance([admitted_slice], NOW, 0.0)
        for number in done:
            self.events[number].clear()

    def _worker(self, number: int) -> Worker:
        [worker] = [each.worker for each in self._all if number in each.worker.assigned]
        return worker

    async def _disrupt(self) -> None:
        one, *others = self.rng.sample(self._all, len(self._all))
        mine = set(one.worker.assigned)
        what = self.rng.choice(["move", "kill", "interrupt", "give up"])
        if what == "move" and mine and others:
            moved = self.rng.choice(sorted(mine))
            await others[0].take(*others[0].worker.assigned, moved)
            await one.take(*mine - {moved})
        elif what == "kill":
            place = self._all.index(one)
            self._all[place] = self._another(f"{one.worker._owner}'")
            if place == 0:
                self.it = self._all[0]
            taker = self.rng.choice(self._all)
            await taker.take(*mine, *taker.worker.assigned)
        elif what == "interrupt":
            self.it.publisher.interrupt()
            for each in self._all:
                await each.worker._take_over([], set())
        elif what == "give up":
            for waiting in one.worker._committer._routes._waiting.values():
                waiting.since -= 60

    def _slice(self, number: int, events: Sequence[Event]) -> AdmittedSlice:
        state = self._worker(number).assigned[number].state
        return AdmittedSlice(
            number,
            state.next_offset + len(events),
            admitted=[admitted(each) for each in events if each.kind not in CORRECTION_KINDS],
            corrections=[correction(each) for each in events if each.kind in CORRECTION_KINDS],
        )

    async def _exchange(self, number: int, size: int) -> None:
        await self._worker(number)._slices.process_round([self._told(number, size)])

    def _told(self, number: int, size: int) -> Slice:
        """Return the next records that a partition was told."""
        begin = self._worker(number).assigned[number].state.next_exchange_offset
        records = self.exchanged[number][begin : begin + size]
        return Slice(number, begin, begin + len(records), records, EXCHANGE)

    async def _deliver(self) -> None:
        """Let what was published arrive."""
        for each in self._all:
            await each.worker._outbox.send_held()
        await self.it.publisher.settle()
        for record in self.it.publisher.records[self._read :]:
            if record.topic == EXCHANGE:
                number = self._home((record.key or b"").decode()) if record.partition < 0 else record.partition
                self.exchanged[number].append(Record(len(self.exchanged[number]), record.key, record.value))
        self._read = len(self.it.publisher.records)

    def owners(self) -> dict[bytes, dict[str, str]]:
        """Return who has each touchpoint: its key → its own key → the customer."""
        found: dict[bytes, dict[str, str]] = {}
        for row in self.it.ledger.journeys.values():
            for step in row.steps:
                found.setdefault(step.key, {})[step.via or row.customer] = row.customer
        return found

    def restart(self) -> None:
        """Let another worker go on, which knows what the ledger holds."""
        self.it = self._another("one")
        self._all = [self.it, *[self._another(str(n)) for n in range(1, self.workers)]]

    def journeys(self) -> set[tuple[Any, ...]]:
        """Return customer, start, end, and the touchpoints with their own keys, of each journey."""
        return {
            (row.customer, row.started_at, row.ended_at, tuple((step.key, step.via) for step in row.steps))
            for row in self.it.ledger.journeys.values()
            if row.touchpoints
        }

    def cases(self) -> dict[tuple[str, str], CaseRow]:
        """Return cases that have touchpoints, without what depends on the order of arrival."""
        rows = {key: row for key, row in self.it.ledger.cases.items() if row.status != MOVED}
        return {key: without_origin(row) for key, row in rows.items()}

    def touchpoints(self) -> dict[tuple[str, int, int], set[bytes]]:
        """Return the touchpoints of each journey, by customer, start and end."""
        return {
            (row.customer, row.started_at, row.ended_at): {
                row.keys[at : at + KEY_BYTES] for at in range(0, len(row.keys), KEY_BYTES)
            }
            for row in self.it.ledger.journeys.values()
            if row.touchpoints
        }

    def scores(self) -> dict[str, dict[str, Any]]:
        """Return the state of each score by customer."""
        return {
            active.name: {
                customer: active.score.restore(row) for customer, row in self.it.ledger.scores[active.name].items()
            }
            for active in ACTIVE_SCORES
        }

    def owner(self, event: Event) -> str:
        """Return who has a touchpoint, by its own key."""
        return self.owners()[event.touchpoint][event.own]


def without_origin(row: CaseRow) -> CaseRow:
    """Return a case without its revision and without whose its touchpoints were."""
    steps = Steps([step._replace(via=None, sender=None) for step in row.steps])
    return row._replace(revision=0, steps=steps)
