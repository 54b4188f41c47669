"""The outbox as the ledger has it: what earlier workers left counts, and grows older while the database is away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pipeline.ledger.outbox_age import OutboxRow
from pipeline.observe.metrics import Metrics
from pipeline.processing.outbox_monitor import OutboxMonitor


class Reader:
    def __init__(self, *rows: OutboxRow) -> None:
        self.rows: Sequence[OutboxRow] = rows
        self.is_away = False

    async def read(self, topic: str) -> Sequence[OutboxRow]:
        if self.is_away:
            raise ConnectionError
        return self.rows

    async def close(self) -> None:
        pass


class Monitored:
    def __init__(self, *rows: OutboxRow, assigned: dict[int, object], confirmed: dict[int, int]) -> None:
        self.reader, self.metrics, self.now = Reader(*rows), Metrics(), 0.0
        self._monitor = OutboxMonitor(
            reader=self.reader,
            assigned=assigned,
            confirmed=lambda number: confirmed.get(number, 0),
            metrics=self.metrics,
            clock=lambda: self.now,
        )

    def look(self) -> tuple[float | None, float | None]:
        asyncio.run(self._monitor.look())
        sample = self.metrics.registry.get_sample_value
        return sample("pipeline_unpublished_journeys"), sample("pipeline_unpublished_seconds")


def test_what_a_worker_before_left_counts_before_any_partition_is_taken() -> None:
    it = Monitored(OutboxRow(0, 7, 20, 540.0), OutboxRow(3, 2, 1, 10.0), assigned={}, confirmed={})
    assert it.look() == (21, 540.0)


def test_what_is_confirmed_does_not_count_nor_what_others_have() -> None:
    rows = (OutboxRow(0, 7, 20, 540.0), OutboxRow(0, 8, 5, 3.0), OutboxRow(1, 4, 9, 90.0))
    it = Monitored(*rows, assigned={0: object()}, confirmed={0: 7})
    assert it.look() == (5, 3.0)
    assert Monitored(assigned={0: object()}, confirmed={}).look() == (0, 0)


def test_while_the_database_is_away_what_was_there_grows_older() -> None:
    it = Monitored(OutboxRow(0, 8, 5, 3.0), assigned={0: object()}, confirmed={})
    it.look()
    it.reader.is_away, it.now = True, 60.0
    assert it.look() == (5, 63.0)
