"""A worker over a ledger, a publisher and a source in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from memory import ACTIVE_SCORES, NOW, POLICY, WRITERS, Record, record

from pipeline import catalogue
from pipeline.cases import types as case_types
from pipeline.cases.rules import CaseRules
from pipeline.errors import Unavailable
from pipeline.flow.admission import Admission
from pipeline.flow.identities import IdentityRules
from pipeline.flow.slices import Slice
from pipeline.identity.policy import IdentityPolicy
from pipeline.ledger.memory import MemoryLedger
from pipeline.observe.health import Health
from pipeline.observe.metrics import Metrics
from pipeline.processing.assignment import AssignedPartitions
from pipeline.processing.case_updates import CaseUpdates
from pipeline.processing.committer import Committer
from pipeline.processing.direct_routes import DirectRoutes
from pipeline.processing.garbage_collection import GarbageCollection
from pipeline.processing.model_updates import ModelUpdates
from pipeline.processing.risk_sweep import RiskSweep
from pipeline.processing.slice_processor import SliceProcessor
from pipeline.processing.worker import Worker
from pipeline.processing.writer_schemas import WriterSchemaCache
from pipeline.publishing.memory import MemoryPublisher
from pipeline.publishing.outbox import OutboxPublisher
from pipeline.publishing.records import RecordSerializer
from pipeline.retry import Retry
from pipeline.scores.churn.model import DEFAULT as CHURN_MODEL
from pipeline.scores.registry import SCORES
from pipeline.topics import CASES, CHURN_RISK, IDENTITIES, JOURNEYS, SATISFACTION, TOUCHPOINTS, TopicPartition
from pipeline.touchpoint import Touchpoint

CASE_RULES = CaseRules(catalogue.load(), case_types.load(), {})


class Schemas:
    """All writers' schemas are known."""

    known = WRITERS

    async def learn(self, _partition: int, _records: Any) -> None: ...


class Garbage:
    def collect_if_due(self) -> None: ...


@dataclass
class Source:
    """Notes what the worker asks for."""

    ends: dict[int, int] = field(default_factory=dict)
    rewound: list[tuple[int, int]] = field(default_factory=list)
    first_offset: int = 0

    async def rewind(self, place: TopicPartition, offset: int) -> None:
        self.rewound.append((place[1], offset))

    async def earliest(self, place: TopicPartition) -> int:
        return self.first_offset

    def caught_up(self, place: TopicPartition, next_offset: int) -> bool:
        return next_offset >= self.ends.get(place[1], 0)


def slice_of(partition: int, begin: int, touchpoints: Sequence[Touchpoint]) -> Slice:
    """A slice with these touchpoints' records, one after the other."""
    records: list[Record] = [record(each, begin + n) for n, each in enumerate(touchpoints)]
    return Slice(partition, begin, begin + len(records), records)


class InMemory:
    """A worker with all of its parts open to be looked at."""

    def __init__(
        self,
        ledger: MemoryLedger | None = None,
        publisher: MemoryPublisher | None = None,
        *,
        owner: str = "one",
        partitions: int = 1,
        idle_s: float = 1e9,
        sweeps: bool = False,
        identity: IdentityPolicy | None = None,
    ) -> None:
        self.ledger = ledger or MemoryLedger(SCORES)
        self.publisher = publisher or MemoryPublisher()
        self.source, self.metrics, self.health = Source(), Metrics(), Health()
        self.clock_ms = NOW
        self.reached: list[str] = []
        retry = Retry(
            give_up_s=5, first_pause_s=0.001, passing=lambda error: isinstance(error, Unavailable | ConnectionError)
        )
        serializer = RecordSerializer(dict.fromkeys((JOURNEYS, CASES, IDENTITIES, SATISFACTION, CHURN_RISK), 1), SCORES)
        outbox = OutboxPublisher(self.publisher, serializer, self.ledger, retry)
        assigned = AssignedPartitions(self.metrics, self.health, outbox.forget)
        admission = Admission(catalogue.load(), POLICY, partitions)
        committer = Committer(
            ledger=self.ledger,
            assigned=assigned,
            outbox=outbox,
            scores=ACTIVE_SCORES,
            grace_ms=POLICY.grace_ms,
            identity=None if identity is None else IdentityRules(identity, admission.readmit, partitions, "here"),
            cases=CaseUpdates(self.ledger, CASE_RULES),
            max_customers=1000,
            routes=DirectRoutes(assigned),
            metrics=self.metrics,
            reached=self.reached.append,
        )
        risk_sweep = (
            RiskSweep(
                reader=self.ledger,
                ledger=self.ledger,
                committer=committer,
                assigned=assigned,
                model=CHURN_MODEL,
                metrics=self.metrics,
                retry=retry,
                interval_s=0.0,
                clock_ms=lambda: self.clock_ms,
            )
            if sweeps
            else None
        )
        self.worker = Worker(
            source=self.source,
            ledger=self.ledger,
            assigned=assigned,
            slices=SliceProcessor(
                admission=admission,
                writer_schemas=cast(WriterSchemaCache, Schemas()),
                committer=committer,
                assigned=assigned,
                metrics=self.metrics,
                clock_ms=lambda: self.clock_ms,
            ),
            committer=committer,
            outbox=outbox,
            risk_sweep=risk_sweep,
            models=ModelUpdates(ledger=self.ledger, committer=committer, risk_sweep=risk_sweep, interval_s=0.0),
            metrics=self.metrics,
            garbage=cast(GarbageCollection, Garbage()),
            reached=self.reached.append,
            owner=owner,
            grace_ms=POLICY.grace_ms,
            idle_s=idle_s,
            clock_ms=lambda: self.clock_ms,
        )

    async def take(self, *partitions: int) -> dict[int, int]:
        """Take partitions; where each is to be read from."""
        offsets = await self.worker.take_partitions(lambda: set(partitions))
        return {number: offset for (topic, number), offset in offsets.items() if topic == TOUCHPOINTS}

    async def process(self, *slices: Slice) -> list[bool]:
        """Process a round of slices as the source delivers it: one after the other, the first with all."""
        rounds = [list(slices), *[[each] for each in slices[1:]]]
        return [
            await self.worker.process(each, lambda arrived=arrived: arrived)
            for each, arrived in zip(slices, rounds, strict=True)
        ]

    def published(self, topic: str = JOURNEYS) -> int:
        """Number of records of a topic that a consumer reads."""
        return sum(record.topic == topic for record in self.publisher.records)

    def value(self, name: str, **labels: str) -> float:
        """A metric's value."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0
