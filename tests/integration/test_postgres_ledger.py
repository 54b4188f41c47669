"""The ledger in Postgres keeps the contract of ledgers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from contracts import ledger, ledger_of_long_histories
from harness import TABLES
from sqlalchemy import Engine, text

from pipeline.connections.database import async_engine
from pipeline.ledger.postgres import PostgresLedger
from pipeline.ledger.protocol import Ledger
from pipeline.ledger.session import Session
from pipeline.retry import Retry
from pipeline.scores.registry import SCORES


@pytest.mark.parametrize("case", [*ledger.CASES, *ledger_of_long_histories.CASES], ids=lambda case: case.__name__)
def test_contract(case: Callable[[Ledger], Awaitable[None]], stack_env: dict[str, str], initialised: Engine) -> None:
    with initialised.begin() as connection:
        connection.execute(text(f"TRUNCATE {TABLES}"))

    async def run() -> None:
        engine = async_engine(stack_env["DATABASE_URL"], 60)
        ledger = PostgresLedger(Session(engine), Retry(passing=lambda _error: False), SCORES)
        try:
            await case(ledger)
        finally:
            await ledger.close()
            await engine.dispose()

    asyncio.run(run())
