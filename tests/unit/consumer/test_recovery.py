"""Taking partitions may take longer than Faust waits for a broker."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from faust.tables.recovery import RebalanceAgain

from pipeline.connections.kafka import KafkaConnection
from pipeline.consumer.app import LedgerApp, build_app


def app_that_waits(folder: Path, seconds: float) -> LedgerApp:
    async def nothing(_what: Any) -> Any:
        raise AssertionError

    app = build_app(
        group="g", instance="one", kafka=KafkaConnection(bootstrap_servers="127.0.0.1:1"), folder=str(folder),
        take_partitions=nothing, process=nothing, reached=lambda _place: None, partitions=1,
    )  # fmt: skip
    app.conf.broker_request_timeout = seconds
    return app


def test_partitions_are_taken_however_long_it_takes(tmp_path: Path) -> None:
    async def run() -> bool:
        app = app_that_waits(tmp_path, 0.001)
        may_go_on, taken = asyncio.Event(), asyncio.Event()

        async def take() -> None:
            await may_go_on.wait()
            taken.set()

        recovery = app.tables.recovery
        waiting = asyncio.create_task(recovery._wait(take(), timeout=app.conf.broker_request_timeout))
        done, _ = await asyncio.wait({waiting}, timeout=0.2)
        assert not done
        may_go_on.set()
        await waiting
        return taken.is_set()

    assert asyncio.run(run())


def test_another_rebalance_ends_the_waiting(tmp_path: Path) -> None:
    async def run() -> None:
        recovery = app_that_waits(tmp_path, 30).tables.recovery
        recovery.signal_recovery_start.set()
        with pytest.raises(RebalanceAgain):
            await recovery._wait(asyncio.Event().wait(), timeout=30)

    asyncio.run(run())
