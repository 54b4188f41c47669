"""What partitions of one worker tell each other: by the topic at first, then directly, and never twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from contracts.ledger import touchpoint
from memory import Record, partition_for
from worker_in_memory import InMemory, slice_of

from pipeline.contract.partition import partition_of
from pipeline.flow.slices import Slice
from pipeline.identity.policy import IdentityPolicy
from pipeline.processing import direct_routes
from pipeline.topics import EXCHANGE
from pipeline.touchpoint import Touchpoint

PARTITIONS = 2


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await asyncio.wait_for(test(), 30)

    asyncio.run(main())


def visits_and_claims(count: int) -> list[tuple[Touchpoint, Touchpoint]]:
    """Return visits of cookies on partition 0, each with that of the customer, on partition 1, who owns the cookie."""
    pairs: list[tuple[Touchpoint, Touchpoint]] = []
    number = 0
    while len(pairs) < count:
        number += 1
        visit = touchpoint(f"v{number}", number, customer_id=None, anonymous_id=f"c{number}")
        claim = touchpoint(f"s{number}", number + 1, customer_id=f"k{number}", anonymous_id=f"c{number}")
        if (partition_for(visit, PARTITIONS), partition_for(claim, PARTITIONS)) == (0, 1):
            pairs.append((visit, claim))
    return pairs


def joined(*pairs: tuple[Touchpoint, Touchpoint]) -> dict[str, int]:
    """Return the number of touchpoints that each customer has when all is delivered."""
    return {f"customer:{claim.customer_id}": 2 for _, claim in pairs}


class Two(InMemory):
    """A worker with two partitions, and the exchange topic."""

    def __init__(self, before: InMemory | None = None) -> None:
        given = () if before is None else (before.ledger, before.publisher)
        super().__init__(*given, partitions=PARTITIONS, identity=IdentityPolicy())  # type: ignore[misc]

    async def publish(self, *touchpoints: Touchpoint) -> None:
        """Process touchpoints in one round."""
        by_partition: dict[int, list[Touchpoint]] = {}
        for each in touchpoints:
            by_partition.setdefault(partition_for(each, PARTITIONS), []).append(each)
        position = {number: assigned.state.next_offset for number, assigned in self.worker.assigned.items()}
        await self.process(*[slice_of(number, position[number], those) for number, those in by_partition.items()])

    async def read_exchange(self) -> None:
        """Read what was published to the exchange topic, until nothing more comes."""
        while True:
            await self.worker._outbox.send_held()
            await self.publisher.settle()
            slices = []
            for number, assigned in self.worker.assigned.items():
                begin = assigned.state.next_exchange_offset
                if records := self.exchanged(number)[begin:]:
                    slices.append(Slice(number, begin, begin + len(records), records, EXCHANGE))
            if not slices:
                return
            await self.process(*slices)

    def exchanged(self, number: int) -> list[Record]:
        records = [record for record in self.publisher.records if record.topic == EXCHANGE]
        there = [
            record
            for record in records
            if (record.partition if record.key is None else partition_of(record.key, PARTITIONS)) == number
        ]
        return [Record(n, record.key, record.value) for n, record in enumerate(there)]

    def customers(self) -> dict[str, int]:
        """Return how many touchpoints each customer's journeys have."""
        rows = [row for row in self.ledger.journeys.values() if row.touchpoints]
        return {row.customer: row.touchpoints for row in rows}


async def with_routes() -> tuple[Two, list[tuple[Touchpoint, Touchpoint]]]:
    """Return a worker whose partitions tell each other directly, and what it has processed and what it has not."""
    it, pairs = Two(), visits_and_claims(3)
    await it.take(0, 1)
    await it.publish(*pairs[0])
    await it.read_exchange()
    assert it.customers() == joined(pairs[0])
    return it, pairs


def test_after_the_first_messages_nothing_goes_by_the_topic() -> None:
    async def test() -> None:
        it, pairs = await with_routes()
        published = it.published(EXCHANGE)
        await it.publish(*pairs[1], *pairs[2])
        assert it.customers() == joined(*pairs)  # at once
        assert it.value("pipeline_direct_messages_total") == 2  # transfers; namings are part of the same transaction
        assert all(row.customer.startswith("customer:") for row in list(it.ledger.journeys.values())[-2:])
        await it.worker.close()
        assert it.published(EXCHANGE) == published
        assert it.ledger.outbox == {0: {}, 1: {}}

    run(test)


def test_what_comes_while_a_barrier_is_under_way_waits_for_it() -> None:
    async def test() -> None:
        it, pairs = Two(), visits_and_claims(2)
        await it.take(0, 1)
        await it.publish(*pairs[0])
        await it.publish(*pairs[1])
        assert it.customers() != joined(*pairs)
        assert it.worker._outbox.undelivered
        assert await it.worker.has_work()
        await it.read_exchange()
        assert it.customers() == joined(*pairs)
        assert not it.worker._outbox.undelivered

    run(test)


def test_what_waits_for_a_barrier_that_takes_too_long_goes_by_the_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        it, pairs = Two(), visits_and_claims(2)
        await it.take(0, 1)
        await it.publish(*pairs[0])
        await it.publish(*pairs[1])
        monkeypatch.setattr(direct_routes, "_WAIT_WITHOUT_COMMITS_S", 0.0)
        await it.worker.tick()
        assert not it.worker._outbox.undelivered
        await it.read_exchange()
        assert it.customers() == joined(*pairs)

    run(test)


def test_what_a_killed_worker_had_not_delivered_goes_by_the_topic() -> None:
    async def test() -> None:
        killed, pairs = await with_routes()
        published = killed.published(EXCHANGE)

        async def kill(_now_ms: int) -> None:
            raise RuntimeError("killed before it delivers")

        killed.worker._committer.deliver = kill  # type: ignore[method-assign]
        with pytest.raises(RuntimeError):
            await killed.publish(*pairs[1])
        assert killed.worker._outbox.undelivered
        killed.publisher.interrupt()
        it = Two(killed)
        await it.take(0, 1)
        await it.read_exchange()
        assert it.customers() == joined(*pairs[:2])
        assert it.published(EXCHANGE) > published

    run(test)


def test_a_partition_that_another_worker_has_taken_is_told_by_the_topic() -> None:
    async def test() -> None:
        it, pairs = await with_routes()
        other = Two(it)
        committed = it.worker._committer.commit

        async def taken_meanwhile(*arguments: Any) -> bool:
            if arguments[2]:  # a delivery
                it.worker._committer.commit = committed  # type: ignore[method-assign]
                await other.take(0)
            return await committed(*arguments)

        it.worker._committer.commit = taken_meanwhile  # type: ignore[method-assign]
        await it.publish(*pairs[1])
        assert it.customers() == joined(pairs[0]) | {f"customer:{pairs[1][1].customer_id}": 1}
        await it.take(1)
        for each in (it, other, it, other):
            await each.read_exchange()
        assert it.customers() == joined(*pairs[:2])

    run(test)


def test_a_worker_that_closes_publishes_what_it_has_kept() -> None:
    async def test() -> None:
        it, pairs = Two(), visits_and_claims(2)
        await it.take(0, 1)
        await it.publish(*pairs[0])
        await it.publish(*pairs[1])
        await it.worker.close()
        assert it.ledger.outbox == {0: {}, 1: {}}
        next_one = Two(it)
        await next_one.take(0, 1)
        await next_one.read_exchange()
        assert next_one.customers() == joined(*pairs)

    run(test)
