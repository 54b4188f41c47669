"""A ledger in memory, for the pure core: it keeps rows as Postgres does, and loads customers from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline import catalogue
from pipeline.churn import model as churn
from pipeline.contract.decode import Writer
from pipeline.contract.encode import Encoder, touchpoint_record
from pipeline.contract.partition import partition_of
from pipeline.contract.schema import schema_text
from pipeline.flow.admit import Door
from pipeline.flow.advance import Models, advance, wanted
from pipeline.flow.state import Customer, Partition, forget
from pipeline.flow.values import Admission, Batch, ChurnRow, JourneyRow, SatisfactionRow, Work
from pipeline.journey.journey import Journey
from pipeline.journey.policy import Policy
from pipeline.journey.step import KEY_BYTES
from pipeline.satisfaction import model as satisfaction
from pipeline.satisfaction.estimate import Answers
from pipeline.topics import TOUCHPOINTS
from pipeline.touchpoint import Touchpoint, customer_key

MINUTE, DAY = 60_000, 86_400_000
T0 = 1_700_000_000_000
NOW = T0 + 365 * DAY
MODELS = Models(satisfaction.DEFAULT, churn.DEFAULT)
POLICY = Policy(gap_ms=30 * MINUTE, grace_ms=20 * MINUTE, by_channel={"email": 3 * DAY})
WRITERS = {(1).to_bytes(4, "big"): Writer(schema_text(TOUCHPOINTS))}
ENCODER = Encoder(1, schema_text(TOUCHPOINTS))


@dataclass
class Record:
    """A record as Kafka would give it."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = NOW
    headers: Sequence[tuple[str, bytes]] = ()


def record(touchpoint: Touchpoint, offset: int = 0, key: bytes | None = None) -> Record:
    """A touchpoint's record, by default with the right key."""
    right = (customer_key(touchpoint) or "").encode()
    return Record(offset, right if key is None else key, ENCODER.encode(touchpoint_record(touchpoint)))


@dataclass
class Memory:
    """One partition of `partitions`, its worker's state and what is committed of it."""

    number: int = 0
    partitions: int = 1
    most_customers: int = 1000
    policy: Policy = POLICY
    journeys: dict[str, JourneyRow] = field(default_factory=dict)
    satisfaction: dict[str, SatisfactionRow] = field(default_factory=dict)
    churn: dict[str, ChurnRow] = field(default_factory=dict)
    counts: dict[tuple[Any, ...], list[int]] = field(default_factory=dict)
    batches: list[Batch] = field(default_factory=list)
    next_offset: int = 0
    watermark: int = 0

    def __post_init__(self) -> None:
        self.door = Door(catalogue.load(), self.policy, self.partitions)
        self.restart()

    def restart(self) -> None:
        """Forget all that is only in memory, as a killed worker does."""
        self.state = Partition(self.number, self.next_offset, self.watermark)

    def process(self, records: Sequence[Record], now: int = NOW) -> Batch:
        """A slice, committed."""
        batch = self.attempt(records, now)
        self.commit(batch)
        return batch

    def attempt(self, records: Sequence[Record], now: int = NOW) -> Batch:
        """A slice, not yet committed."""
        [admission] = self.door.admit([Work(self.number, records, self.state.next_offset + len(records))], WRITERS, now)
        latest = max([self.state.watermark, *[min(event.step.at, now) for event in admission.admitted]])
        return self._advance(admission, latest, now)

    def idle(self, clock_ms: int) -> Batch:
        """The wall clock goes on without events."""
        batch = self._advance(Admission(self.state.next_offset, [], [], []), clock_ms, clock_ms, idle=True)
        self.commit(batch)
        return batch

    def commit(self, batch: Batch) -> None:
        self.batches.append(batch)
        self.next_offset, self.watermark = batch.next_offset, batch.watermark
        self.journeys |= {row.journey_id: row for row in batch.journeys}
        self.satisfaction |= {row.customer: row for row in batch.satisfaction}
        self.churn |= {row.customer: row for row in batch.churn}
        for traits, sums in batch.counts.items():
            key = (traits.stage, traits.channel, traits.kind)
            self.counts[key] = [a + b for a, b in zip(self.counts.get(key, [0] * len(sums)), sums, strict=True)]

    def _advance(self, admission: Admission, latest: int, now_ms: int, *, idle: bool = False) -> Batch:
        due = {
            row.customer: row.started_at
            for row in self.journeys.values()
            if row.status == "open" and row.covers_until + self.policy.grace_ms < latest
        }
        for key, since in wanted(self.state, admission, due).items():
            self.state.customers[key] = self._load(key, since)
        batch = advance(
            self.state, admission, due=due, now_ms=now_ms, idle=idle, grace_ms=self.policy.grace_ms, models=MODELS
        )
        forget([self.state], self.most_customers)
        return batch

    def _load(self, key: str, since: int) -> Customer:
        customer = Customer(key, since)
        rows = [r for r in self.journeys.values() if r.customer == key and r.merged_into is None]
        customer.journeys = [_journey(r) for r in sorted(rows, key=lambda r: r.started_at) if r.covers_until >= since]
        if (s := self.satisfaction.get(key)) is not None:
            customer.answers = Answers(s.answered, s.weight, s.weighted, s.as_of)
        if (c := self.churn.get(key)) is not None:
            customer.visits, customer.risk_as_of = c.visits, c.as_of
            customer.first_active_at, customer.last_active_at = c.first_active_at, c.last_active_at
            customer.account_closed_at = c.account_closed_at
        return customer


def partition_for(touchpoint: Touchpoint, partitions: int) -> int:
    """Where a touchpoint belongs."""
    return partition_of((customer_key(touchpoint) or "").encode(), partitions)


def tables(*ledgers: Memory) -> dict[str, Any]:
    """All that the tables say but for what may depend on the order of arrival, ids and revisions."""
    counts: dict[tuple[Any, ...], list[int]] = {}
    for ledger in ledgers:
        for key, sums in ledger.counts.items():
            counts[key] = [a + b for a, b in zip(counts.get(key, [0] * len(sums)), sums, strict=True)]
    rows = [row for ledger in ledgers for row in ledger.journeys.values() if row.merged_into is None]
    return {
        "journeys": sorted(
            [tuple(row._replace(journey_id="", revision=0, channels=sorted(row.channels.items()))) for row in rows]
        ),
        "satisfaction": {k: v for ledger in ledgers for k, v in ledger.satisfaction.items()},
        "churn": {k: v for ledger in ledgers for k, v in ledger.churn.items()},
        "counts": counts,
    }


def _journey(row: JourneyRow) -> Journey:
    journey = Journey(row.customer, row.journey_id)
    journey.revision, journey.open, journey.was_open = row.revision, row.status == "open", row.status == "open"
    journey.started_at, journey.ended_at, journey.covers_until = row.started_at, row.ended_at, row.covers_until
    journey.channels, journey.steps = dict(row.channels), list(row.steps)
    keys = [row.keys[i : i + KEY_BYTES] for i in range(0, len(row.keys), KEY_BYTES)]
    journey.keys, journey.omitted = set(keys), keys[len(journey.steps) :]
    journey.failures, journey.abandoned = row.failures, row.abandoned
    journey.begun_by_customer = row.begun_by_customer
    return journey
