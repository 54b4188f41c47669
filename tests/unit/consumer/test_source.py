"""The source starts when the broker is there, however often it goes away meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from pipeline.connections.kafka import KafkaConnection
from pipeline.consumer import source
from pipeline.consumer.source import FaustSource
from pipeline.errors import Unavailable
from pipeline.retry import Retry


class App:
    """Fails to start, as Faust does when the broker goes away right then."""

    failures = 2

    def __init__(self, made: list[App]) -> None:
        self.fails, self.is_stopped = len(made) < self.failures, False

    async def start(self) -> None:
        if self.fails:
            raise KafkaConnectionError("Unable to bootstrap")

    async def stop(self) -> None:
        self.is_stopped = True


def started(monkeypatch: pytest.MonkeyPatch, give_up_s: float) -> list[App]:
    """The apps that are made until one has started."""
    made: list[App] = []

    def build(**_: Any) -> App:
        made.append(App(made))
        return made[-1]

    async def nothing(*_: Any) -> Any: ...

    monkeypatch.setattr(source, "build_app", build)
    it = FaustSource(
        kafka=KafkaConnection(bootstrap_servers="localhost:1"),
        group="g",
        instance="i",
        folder="/nowhere",
        partitions=1,
        max_records=1,
        exchanges=True,
        retry=Retry(first_pause_s=0.001, give_up_s=give_up_s),
        reached=lambda _: None,
    )
    asyncio.run(it.start(take_partitions=nothing, process=nothing))
    return made


def test_a_broker_that_goes_away_while_the_source_starts_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made = started(monkeypatch, give_up_s=10)
    assert [(app.fails, app.is_stopped) for app in made] == [(True, True), (True, True), (False, False)]


def test_one_that_stays_away_ends_the_start_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(App, "failures", 1_000_000)
    with pytest.raises(Unavailable, match="Kafka does not answer"):
        started(monkeypatch, give_up_s=0.01)
