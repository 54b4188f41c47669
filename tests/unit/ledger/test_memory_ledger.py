"""The ledger in memory keeps the contract of ledgers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from contracts import ledger, ledger_of_long_histories

from pipeline.ledger.memory import MemoryLedger
from pipeline.ledger.protocol import Ledger
from pipeline.scores.registry import SCORES


@pytest.mark.parametrize("case", [*ledger.CASES, *ledger_of_long_histories.CASES], ids=lambda case: case.__name__)
def test_contract(case: Callable[[Ledger], Awaitable[None]]) -> None:
    async def run() -> None:
        await case(MemoryLedger(SCORES))

    asyncio.run(run())
