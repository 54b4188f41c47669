"""The flow of one partition over a ledger in memory, without an event loop."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pipeline import catalogue
from pipeline.contract.decode import Writer
from pipeline.contract.encode import Encoder, touchpoint_record
from pipeline.contract.partition import partition_of
from pipeline.contract.schema import schema_text
from pipeline.flow.admission import Admission
from pipeline.flow.advance import advance, customers_to_load
from pipeline.flow.count_row import TOUCHPOINT_COUNT, TouchpointCountRow
from pipeline.flow.slices import Slice
from pipeline.flow.state import Partition, forget_customers
from pipeline.flow.values import AdmittedSlice, Batch
from pipeline.journey.policy import Policy
from pipeline.journey.row import JourneyRow
from pipeline.ledger.commit import Commit
from pipeline.ledger.memory import MemoryLedger
from pipeline.scores.protocol import ActiveScore
from pipeline.scores.registry import SCORES
from pipeline.topics import TOUCHPOINTS
from pipeline.touchpoint import Touchpoint, own_key

T = TypeVar("T")

MINUTE, DAY = 60_000, 86_400_000
T0 = 1_700_000_000_000
NOW = T0 + 365 * DAY
ACTIVE_SCORES = [ActiveScore(score, score.default_model) for score in SCORES]
POLICY = Policy(
    gap_ms=30 * MINUTE, grace_ms=20 * MINUTE, by_channel={"email": 3 * DAY}, by_kind={"lasting": 180 * MINUTE}
)
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
    right = (own_key(touchpoint) or "").encode()
    return Record(offset, right if key is None else key, ENCODER.encode(touchpoint_record(touchpoint)))


def immediately(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("it waits")


@dataclass
class Memory:
    """One partition of `partitions`, its worker's state and what is committed of it."""

    number: int = 0
    partitions: int = 1
    most_customers: int = 1000
    policy: Policy = POLICY
    batches: list[Batch] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ledger = MemoryLedger(SCORES)
        self.admission = Admission(catalogue.load(), self.policy, self.partitions)
        [self.position], _ = immediately(self.ledger.take_partitions(TOUCHPOINTS, [self.number], "worker"))
        self.restart()

    @property
    def journeys(self) -> dict[str, JourneyRow]:
        return self.ledger.journeys

    @property
    def satisfaction(self) -> dict[str, Any]:
        return self.ledger.scores["satisfaction"]

    @property
    def churn(self) -> dict[str, Any]:
        return self.ledger.scores["churn_risk"]

    @property
    def counts(self) -> dict[tuple[str, str, str], TouchpointCountRow]:
        """(stage, channel, kind) → row."""
        return {key[1:]: row for key, row in self.ledger.counts.items()}

    @property
    def watermark(self) -> int:
        return self.position.watermark

    def restart(self) -> None:
        """Forget all that is only in memory, as a killed worker does."""
        self.state = Partition(self.number, self.position.next_offset, self.position.watermark)

    def process(self, records: Sequence[Record], now: int = NOW) -> Batch:
        """A slice, committed."""
        batch = self.attempt(records, now)
        self.commit(batch)
        return batch

    def attempt(self, records: Sequence[Record], now: int = NOW) -> Batch:
        """A slice, not yet committed."""
        begin = self.state.next_offset
        given = Slice(self.number, begin, begin + len(records), records)
        [admitted] = self.admission.admit([given], WRITERS, now)
        latest = max([self.state.watermark, *[min(event.step.at, now) for event in admitted.admitted]])
        return self._advance(admitted, latest, now)

    def idle(self, clock_ms: int) -> Batch:
        """The wall clock goes on without events."""
        batch = self._advance(AdmittedSlice(self.number, self.state.next_offset, is_idle=True), clock_ms, clock_ms)
        self.commit(batch)
        return batch

    def commit(self, batch: Batch) -> None:
        self.batches.append(batch)
        [self.position] = immediately(self.ledger.commit([Commit(self.position, batch)]))

    def _advance(self, admitted: AdmittedSlice, latest: int, now_ms: int) -> Batch:
        due = immediately(self.ledger.due_customers({self.number: latest}, self.policy.grace_ms, 10**6))
        admitted = admitted._replace(due=due.get(self.number, {}))
        missing = customers_to_load(self.state, admitted)
        self.state.customers |= immediately(self.ledger.load_customers(missing))
        batch = advance(self.state, admitted, now_ms=now_ms, grace_ms=self.policy.grace_ms, scores=ACTIVE_SCORES)
        forget_customers([self.state], self.most_customers)
        return batch


def partition_for(touchpoint: Touchpoint, partitions: int) -> int:
    """Where a touchpoint belongs."""
    return partition_of((own_key(touchpoint) or "").encode(), partitions)


def tables(*ledgers: Memory) -> dict[str, Any]:
    """All that the tables say but for what may depend on the order of arrival, ids and revisions."""
    counts: dict[tuple[str, str, str], TouchpointCountRow] = {}
    for ledger in ledgers:
        for key, row in ledger.counts.items():
            before = counts.get(key)
            sums = (
                {name: getattr(before, name) + getattr(row, name) for name in TOUCHPOINT_COUNT.added} if before else {}
            )
            counts[key] = row._replace(**sums)
    rows = [row for ledger in ledgers for row in ledger.journeys.values() if row.merged_into is None]
    return {
        "journeys": sorted(
            [tuple(row._replace(journey_id="", revision=0, channels=sorted(row.channels.items()))) for row in rows]
        ),
        "satisfaction": {k: v for ledger in ledgers for k, v in ledger.satisfaction.items()},
        "churn": {k: v for ledger in ledgers for k, v in ledger.churn.items()},
        "counts": counts,
    }
