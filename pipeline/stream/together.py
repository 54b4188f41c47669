"""Running coroutines beside each other."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any


async def run_all(coroutines: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run all to their ends; when one raises, the others are cancelled and its error is raised."""
    if len(coroutines) == 1:
        await coroutines[0]
        return
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                group.create_task(coroutine)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
