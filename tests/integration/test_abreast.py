"""A worker's transactions side by side, on the real ledger, without Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from fuzz.records import MODELS
from harness import Pipe
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.flow.values import Admission, Admitted, Traits
from pipeline.journey.step import Step, event_key
from pipeline.ledger import positions
from pipeline.ledger.database import async_engine
from pipeline.ledger.session import Session
from pipeline.observe.health import Health
from pipeline.observe.metrics import Metrics
from pipeline.retry import Retry
from pipeline.stream.commits import Commits
from pipeline.stream.publication import Publication
from pipeline.stream.records import Records
from pipeline.stream.work import Part
from pipeline.topics import CHURN_RISK, JOURNEYS, SATISFACTION, TOUCHPOINTS

NOW_MS = 1_700_000_000_000
TRAITS = Traits("web", "page_viewed", "consideration", True, 1_800_000, True, False)


class Nowhere:
    """Takes what is published."""

    interrupted = False

    async def send(self, claim: Any, records: Any) -> None:
        list(records)

    async def settle(self) -> None: ...

    async def close(self) -> None: ...

    def confirmed(self, partition: int) -> int:
        return 0

    def forget(self, partition: int) -> None: ...


@asynccontextmanager
async def commits(pipe: Pipe, most_customers: int, partitions: int) -> AsyncIterator[Commits]:
    """A worker's transactions, with the partitions taken."""
    engine = async_engine(pipe.env["DATABASE_URL"], 60)
    made = Commits(
        session=Session(engine, 2),
        models=MODELS,
        grace_ms=0,
        records=Records(dict.fromkeys((JOURNEYS, SATISFACTION, CHURN_RISK), 1)),
        publication=cast(Publication, Nowhere()),
        metrics=Metrics(),
        health=Health(),
        retry=Retry(give_up_s=10, passing=lambda error: False),
        most_customers=most_customers,
        reached=lambda place: None,
        collect=lambda: None,
    )

    async def take(connection: AsyncConnection) -> list[positions.Claim]:
        return (await positions.take(connection, TOUCHPOINTS, range(partitions), "test"))[0]

    for claim in await made.ask(take):
        made.held.adopt(claim)
    try:
        yield made
    finally:
        await made.close()
        await engine.dispose()


async def visits(made: Commits, partition: int, names: list[str]) -> None:
    """A touchpoint of each of these customers, in one transaction."""
    owned = made.held[partition]
    begin = owned.state.next_offset
    admitted = []
    for offset, name in enumerate(names, begin):
        step = Step(
            NOW_MS, event_key("shop", f"{partition}-{offset}", NOW_MS), "web", "page_viewed", "consideration", "none",
            None, None, None, None, None,
        )  # fmt: skip
        admitted.append(Admitted(name, NOW_MS + TRAITS.gap_ms, step, TRAITS, None))
    await made.step([Part(owned, Admission(begin + len(names), admitted, [], []))], NOW_MS, 0.0)


def kept(made: Commits) -> dict[int, int]:
    return {number: len(owned.state.customers) for number, owned in made.held.items()}


def test_customers_are_forgotten_after_each_transaction_not_only_when_all_are_over(pipe: Pipe) -> None:
    async def run() -> None:
        async with commits(pipe, most_customers=40, partitions=3) as made:
            for partition in range(3):
                await visits(made, partition, [f"{partition}-{n}" for n in range(30)])
                assert sum(kept(made).values()) <= 40
            assert kept(made)[2] == 30

    asyncio.run(run())


def test_a_transaction_keeps_the_customers_that_it_needs_however_few_may_be_kept(pipe: Pipe) -> None:
    names = {number: [f"{number}-{n}" for n in range(50)] for number in range(4)}

    async def run() -> None:
        async with commits(pipe, most_customers=1, partitions=4) as made:
            for _ in range(3):
                await asyncio.gather(*[visits(made, number, some) for number, some in names.items()])
            assert sum(kept(made).values()) <= 1

    asyncio.run(run())
    assert pipe.sql("SELECT count(*) AS journeys, sum(touchpoints) AS n FROM journey")[0] == (200, 600)
    assert [row.processed for row in pipe.sql("SELECT processed FROM position")] == [150] * 4


def test_of_two_transactions_one_can_be_refused_without_the_other(pipe: Pipe) -> None:
    async def run() -> None:
        async with commits(pipe, most_customers=100, partitions=2) as made:
            await asyncio.gather(*[visits(made, number, [f"{number}-a"]) for number in range(2)])
            with pipe.engine.begin() as other:
                other.exec_driver_sql("UPDATE position SET epoch = epoch + 1 WHERE partition = 1")
            await asyncio.gather(*[visits(made, number, [f"{number}-b"]) for number in range(2)])
            assert set(made.held) == {0}
            await visits(made, 0, ["0-a", "0-c"])

    asyncio.run(run())
    found = pipe.sql("SELECT customer, touchpoints FROM journey ORDER BY customer")
    assert [tuple(row) for row in found] == [("0-a", 2), ("0-b", 1), ("0-c", 1), ("1-a", 1)]
