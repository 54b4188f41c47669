"""The risk sweep reads beside the work, and not too often."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import psycopg
import pytest
from sqlalchemy.exc import OperationalError, ProgrammingError

from pipeline.identity.correction_log import CorrectionLog
from pipeline.ledger.memory import MemoryLedger
from pipeline.ledger.positions import Position
from pipeline.ledger.risk_sweep import RiskReading
from pipeline.observe.health import Health
from pipeline.observe.metrics import Metrics
from pipeline.processing import risk_sweep
from pipeline.processing.assignment import AssignedPartitions
from pipeline.processing.committer import Committer
from pipeline.processing.risk_sweep import RiskSweep
from pipeline.retry import Retry
from pipeline.scores.churn.model import DEFAULT, ChurnModel
from pipeline.scores.churn.row import ChurnRow


class Reader:
    """In place of the database: gives each answer when it is let go, or raises it."""

    def __init__(self, *answers: list[str] | Exception) -> None:
        self._answers = list(answers)
        self.go = asyncio.Event()
        self.asked = 0

    async def read_risks(self, _partitions: Sequence[int], _now_ms: int, _version: str, _limit: int) -> RiskReading:
        self.asked += 1
        await self.go.wait()
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return RiskReading(answer, {}, {})

    async def close(self) -> None:
        pass


class Ledger(MemoryLedger):
    """Notes about whom it is asked once more."""

    def __init__(self) -> None:
        super().__init__([])
        self.checked: list[str] = []

    async def band_changes(
        self, partitions: Sequence[int], now_ms: int, model: ChurnModel, customers: Sequence[str]
    ) -> dict[int, list[ChurnRow]]:
        self.checked += customers
        return {}


def sweep_of(
    reader: Reader, interval_s: float = 0.0, *, assigned: bool = True, ledger: Ledger | None = None
) -> RiskSweep:
    partitions = AssignedPartitions(Metrics(), Health(), lambda _number: None)
    if assigned:
        partitions.begin(Position("t", 0, 1, 0, 0, 0, ""), CorrectionLog(), ())
    return RiskSweep(
        reader=reader,
        ledger=ledger or Ledger(),
        committer=cast(Committer, None),
        assigned=partitions,
        model=DEFAULT,
        metrics=Metrics(),
        retry=Retry(),
        interval_s=interval_s,
        clock_ms=lambda: 1,
    )


async def until_read() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def run(test: Any) -> None:
    asyncio.run(test())


def test_nothing_waits_for_a_reading_and_what_it_found_is_published_once() -> None:
    async def test() -> None:
        reader, ledger = Reader(["a"], []), Ledger()
        sweep = sweep_of(reader, ledger=ledger)
        await sweep.publish_found()
        await until_read()
        await sweep.publish_found()
        assert (reader.asked, ledger.checked) == (1, [])
        reader.go.set()
        await until_read()
        await sweep.publish_found()
        assert ledger.checked == ["a"]
        await sweep.publish_found()
        assert ledger.checked == ["a"]
        await sweep.close()

    run(test)


def test_nothing_is_read_before_its_time_or_without_partitions() -> None:
    async def test() -> None:
        reader = Reader([])
        await sweep_of(reader, interval_s=3_600).publish_found()
        await sweep_of(reader, assigned=False).publish_found()
        await until_read()
        assert reader.asked == 0

    run(test)


def test_a_reading_that_takes_long_makes_the_next_one_wait_for_twenty_times_as_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [1_000.0]
    monkeypatch.setattr(risk_sweep.time, "monotonic", lambda: clock[0])

    async def test() -> None:
        reader = Reader([], [])
        slow = sweep_of(reader, interval_s=60)
        clock[0] += 60
        await slow.publish_found()
        await until_read()
        clock[0] += 30
        reader.go.set()
        await until_read()
        await slow.publish_found()
        clock[0] += 500
        await slow.publish_found()
        await until_read()
        assert reader.asked == 1
        clock[0] += 100
        await slow.publish_found()
        await until_read()
        assert reader.asked == 2
        await slow.close()

    run(test)


def test_a_database_that_is_away_is_asked_again_later_and_any_other_error_is_raised() -> None:
    async def test() -> None:
        away = OperationalError("read", None, psycopg.OperationalError("away"))
        wrong = ProgrammingError("read", None, psycopg.errors.UndefinedTable("no such table"))
        reader, ledger = Reader(away, wrong), Ledger()
        reader.go.set()
        sweep = sweep_of(reader, ledger=ledger)
        await sweep.publish_found()
        await until_read()
        await sweep.publish_found()
        assert ledger.checked == []
        await sweep.publish_found()
        await until_read()
        with pytest.raises(ProgrammingError):
            await sweep.publish_found()

    run(test)
