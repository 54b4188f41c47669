"""Looking for whom silence has moved: beside the work, and not too often."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from sqlalchemy.exc import OperationalError, ProgrammingError

from pipeline.ledger.session import Session
from pipeline.observe.metrics import Metrics
from pipeline.stream import silence
from pipeline.stream.silence import Silence


class Answering:
    """In place of a session: gives each answer when it is let go, or raises it."""

    def __init__(self, *answers: list[str] | Exception) -> None:
        self._answers = list(answers)
        self.go = asyncio.Event()
        self.asked = 0

    async def run(self, _work: Callable[[Any], Awaitable[Any]]) -> list[str]:
        self.asked += 1
        await self.go.wait()
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        pass


def looking(session: Answering, every_s: float = 0.0) -> Silence:
    return Silence(cast(Session, session), Metrics(), every_s)


async def until_looked() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_nobody_waits_for_a_look_and_what_it_found_is_told_once() -> None:
    async def run() -> None:
        session = Answering(["a"], [])
        silence = looking(session)
        assert silence.found([0], 1) == []
        await until_looked()
        assert silence.found([0], 2) == []
        assert session.asked == 1
        session.go.set()
        await until_looked()
        assert silence.found([0], 3) == ["a"]
        await silence.close()

    asyncio.run(run())


def test_nothing_is_looked_for_before_its_time_or_without_partitions() -> None:
    async def run() -> None:
        session = Answering([])
        later = looking(session, every_s=3_600)
        assert later.found([0], 1) == []
        nobody = looking(session)
        assert nobody.found([], 1) == []
        await until_looked()
        assert session.asked == 0

    asyncio.run(run())


def test_a_look_that_takes_long_makes_the_next_one_wait_for_twenty_times_as_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [1_000.0]
    monkeypatch.setattr(silence.time, "monotonic", lambda: clock[0])

    async def run() -> None:
        session = Answering([], [])
        slow = looking(session, every_s=60)
        clock[0] += 60
        slow.found([0], 1)
        await until_looked()
        clock[0] += 30
        session.go.set()
        await until_looked()
        slow.found([0], 1)
        clock[0] += 500
        slow.found([0], 1)
        await until_looked()
        assert session.asked == 1
        clock[0] += 100
        slow.found([0], 1)
        await until_looked()
        assert session.asked == 2
        await slow.close()

    asyncio.run(run())


def test_a_database_that_is_away_is_asked_again_later_and_any_other_error_is_raised() -> None:
    import psycopg

    async def run() -> None:
        away = OperationalError("look", None, psycopg.OperationalError("away"))
        wrong = ProgrammingError("look", None, psycopg.errors.UndefinedTable("no such table"))
        session = Answering(away, wrong)
        session.go.set()
        silence = looking(session)
        silence.found([0], 1)
        await until_looked()
        assert silence.found([0], 1) == []
        silence.found([0], 1)
        await until_looked()
        with pytest.raises(ProgrammingError):
            silence.found([0], 1)

    asyncio.run(run())
