"""Coroutines beside each other: all are over when one has failed."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.processing.tasks import gather_or_cancel


def test_the_error_of_one_is_raised_when_the_others_are_over() -> None:
    over: list[str] = []

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("as it was")

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            over.append("waits")

    with pytest.raises(ValueError, match="as it was"):
        asyncio.run(gather_or_cancel([waits(), fails()]))
    assert over == ["waits"]


def test_all_are_run() -> None:
    done: list[int] = []

    async def work(number: int) -> None:
        await asyncio.sleep(0)
        done.append(number)

    async def run(number: int) -> None:
        await gather_or_cancel([work(each) for each in range(number)])

    for number in (0, 1, 3):
        done.clear()
        asyncio.run(run(number))
        assert done == list(range(number))
