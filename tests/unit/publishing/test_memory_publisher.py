"""The publisher in memory keeps the contract of publishers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from contracts.publisher import CASES, Published

from pipeline.publishing.memory import MemoryPublisher


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_contract(case: Callable[[Published], Awaitable[None]]) -> None:
    publisher = MemoryPublisher()
    given = Published(publisher, publisher.interrupt, lambda: [record.value for record in publisher.records])

    async def run() -> None:
        await case(given)

    asyncio.run(run())
