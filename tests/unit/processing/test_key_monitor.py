"""Keys as the ledger counts them: each worker shows its own shared keys, and one worker the customers' of all."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from pipeline.ledger.key_counts import CustomersKeys
from pipeline.observe.metrics import Metrics
from pipeline.processing.key_monitor import KeyMonitor


class Reader:
    def __init__(self) -> None:
        self.asked: list[Sequence[int]] = []
        self.is_away = self.is_broken = False

    async def shared(self, partitions: Sequence[int], now_ms: int) -> Mapping[str, int]:
        if self.is_away:
            raise ConnectionError
        if self.is_broken:
            raise ValueError
        self.asked.append(partitions)
        return {"shared": 3}

    async def of_customers(self, now_ms: int) -> CustomersKeys:
        return CustomersKeys(most=70, many=2)

    async def close(self) -> None:
        pass


class Monitored:
    def __init__(self, *partitions: int) -> None:
        self.reader, self.metrics = Reader(), Metrics()
        self.assigned: dict[int, object] = dict.fromkeys(partitions)
        self._monitor = KeyMonitor(
            reader=self.reader, assigned=self.assigned, metrics=self.metrics, interval_s=60.0, clock_ms=lambda: 0
        )

    def look(self) -> float:
        return asyncio.run(self._monitor.look())

    def shown(self) -> tuple[float | None, ...]:
        sample = self.metrics.registry.get_sample_value
        return (
            sample("pipeline_shared_keys", {"why": "shared"}),
            sample("pipeline_shared_keys", {"why": "overfull"}),
            sample("pipeline_most_keys_of_a_customer"),
            sample("pipeline_customers_with_many_keys"),
        )


def test_the_worker_of_the_first_partition_counts_customers_keys_for_all() -> None:
    it = Monitored(0, 2)
    assert it.look() == 60.0
    assert it.reader.asked == [[0, 2]]
    assert it.shown() == (3, 0, 70, 2)


def test_another_worker_shows_its_own_shared_keys_only() -> None:
    it = Monitored(1)
    it.look()
    assert it.shown() == (3, 0, 0, 0)


def test_a_worker_that_loses_its_partitions_shows_nothing_and_looks_again_soon() -> None:
    it = Monitored(0)
    it.look()
    it.assigned.clear()
    assert it.look() < 60.0
    assert it.shown() == (0, 0, 0, 0)


def test_what_was_counted_stays_while_the_database_is_away_or_answers_nonsense() -> None:
    it = Monitored(0)
    it.look()
    it.reader.is_away = True
    it.look()
    it.reader.is_away, it.reader.is_broken = False, True
    it.look()
    assert it.shown() == (3, 0, 70, 2)


def test_it_looks_until_it_is_cancelled() -> None:
    async def test() -> None:
        it = Monitored(0)
        running = asyncio.create_task(it._monitor.run())
        while not it.reader.asked:
            await asyncio.sleep(0.001)
        running.cancel()
        await asyncio.wait({running})
        assert it.shown() == (3, 0, 70, 2)

    asyncio.run(test())
