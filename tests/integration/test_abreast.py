"""A worker's transactions side by side, on the real ledger, without Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fuzz.records import ACTIVE_SCORES
from harness import Pipe

from pipeline.connections.database import async_engine
from pipeline.flow.values import AdmittedSlice
from pipeline.journey.admitted import Admitted, Traits
from pipeline.journey.step import Step, event_key
from pipeline.ledger.postgres import PostgresLedger
from pipeline.ledger.session import Session
from pipeline.observe.health import Health
from pipeline.observe.metrics import Metrics
from pipeline.processing.assignment import AssignedPartitions
from pipeline.processing.committer import Committer
from pipeline.processing.direct_routes import DirectRoutes
from pipeline.publishing.memory import MemoryPublisher
from pipeline.publishing.outbox import OutboxPublisher
from pipeline.publishing.records import RecordSerializer
from pipeline.retry import Retry
from pipeline.scores.registry import SCORES
from pipeline.topics import CASES, CHURN_RISK, IDENTITIES, JOURNEYS, SATISFACTION, TOUCHPOINTS

NOW_MS = 1_700_000_000_000
TRAITS = Traits(
    channel="web", kind="page_viewed", stage="before", catalogued=True, gap_ms=1_800_000, begun_by_customer=True,
    is_activity=True,
)  # fmt: skip


@asynccontextmanager
async def committer(
    pipe: Pipe, max_customers: int, partitions: int
) -> AsyncIterator[tuple[Committer, AssignedPartitions]]:
    """A committer, with the partitions taken."""
    engine = async_engine(pipe.env["DATABASE_URL"], 60)
    retry = Retry(give_up_s=10, passing=lambda error: False)
    ledger = PostgresLedger(Session(engine, 2), retry, SCORES)
    serializer = RecordSerializer(dict.fromkeys((JOURNEYS, CASES, IDENTITIES, SATISFACTION, CHURN_RISK), 1), SCORES)
    publisher = MemoryPublisher()
    await publisher.ready()
    outbox = OutboxPublisher(publisher, serializer, ledger, retry)
    assigned = AssignedPartitions(Metrics(), Health(), outbox.forget)
    made = Committer(
        ledger=ledger,
        assigned=assigned,
        outbox=outbox,
        scores=ACTIVE_SCORES,
        grace_ms=0,
        identity=None,
        cases=None,
        max_customers=max_customers,
        routes=DirectRoutes(assigned),
        metrics=Metrics(),
        reached=lambda place: None,
    )
    positions, _ = await ledger.take_partitions(TOUCHPOINTS, range(partitions), "test")
    await made.begin(positions)
    try:
        yield made, assigned
    finally:
        await ledger.close()
        await engine.dispose()


async def visits(made: Committer, assigned: AssignedPartitions, partition: int, names: list[str]) -> None:
    """A touchpoint of each of these customers, in one transaction."""
    begin = assigned[partition].state.next_offset
    admitted = []
    for offset, name in enumerate(names, begin):
        step = Step(NOW_MS, 0, event_key("shop", f"{partition}-{offset}", NOW_MS), TRAITS.types["none"])
        admitted.append(Admitted(name, NOW_MS + TRAITS.gap_ms, step, TRAITS, None))
    await made.advance([AdmittedSlice(partition, begin + len(names), admitted)], NOW_MS, 0.0)


def kept(assigned: AssignedPartitions) -> dict[int, int]:
    return {number: len(each.state.customers) for number, each in assigned.items()}


def test_customers_are_forgotten_after_each_transaction_not_only_when_all_are_over(pipe: Pipe) -> None:
    async def run() -> None:
        async with committer(pipe, max_customers=40, partitions=3) as (made, assigned):
            for partition in range(3):
                await visits(made, assigned, partition, [f"{partition}-{n}" for n in range(30)])
                assert sum(kept(assigned).values()) <= 40
            assert kept(assigned)[2] == 30

    asyncio.run(run())


def test_a_transaction_keeps_the_customers_that_it_needs_however_few_may_be_kept(pipe: Pipe) -> None:
    names = {number: [f"{number}-{n}" for n in range(50)] for number in range(4)}

    async def run() -> None:
        async with committer(pipe, max_customers=1, partitions=4) as (made, assigned):
            for _ in range(3):
                await asyncio.gather(*[visits(made, assigned, number, some) for number, some in names.items()])
            assert sum(kept(assigned).values()) <= 1

    asyncio.run(run())
    assert pipe.sql("SELECT count(*) AS journeys, sum(touchpoints) AS n FROM journey")[0] == (200, 600)
    assert [row.processed for row in pipe.sql("SELECT processed FROM position")] == [150] * 4


def test_of_two_transactions_one_can_be_refused_without_the_other(pipe: Pipe) -> None:
    async def run() -> None:
        async with committer(pipe, max_customers=100, partitions=2) as (made, assigned):
            await asyncio.gather(*[visits(made, assigned, number, [f"{number}-a"]) for number in range(2)])
            with pipe.engine.begin() as other:
                other.exec_driver_sql("UPDATE position SET epoch = epoch + 1 WHERE partition = 1")
            await asyncio.gather(*[visits(made, assigned, number, [f"{number}-b"]) for number in range(2)])
            assert set(assigned) == {0}
            await visits(made, assigned, 0, ["0-a", "0-c"])

    asyncio.run(run())
    rows = pipe.sql("SELECT customer, touchpoints FROM journey ORDER BY customer")
    assert [tuple(row) for row in rows] == [("0-a", 2), ("0-b", 1), ("0-c", 1), ("1-a", 1)]
