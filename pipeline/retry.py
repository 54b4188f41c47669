"""Retrying after errors that may pass: a server that is away for a moment."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from pipeline.errors import Unavailable

log = structlog.get_logger(__name__)
T = TypeVar("T")


@dataclass(kw_only=True)
class Retry:
    """Tries again with growing pauses until `give_up_s` seconds have passed since the first failure.

    `passing` says which errors may pass; others are raised at once. `on_failure` is called with the server's name and
    the error, `on_success` with the name.
    """

    give_up_s: float = 60.0
    first_pause_s: float = 0.1
    longest_pause_s: float = 2.0
    passing: Callable[[BaseException], bool] = field(default=lambda error: isinstance(error, Unavailable))
    on_failure: Callable[[str, BaseException], None] = field(default=lambda _server, _error: None)
    on_success: Callable[[str], None] = field(default=lambda _server: None)

    async def run(self, server: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Return the result of the first attempt that does not fail; raise the last error after giving up."""
        since: float | None = None
        pause = self.first_pause_s
        while True:
            try:
                result = await attempt()
            except Exception as error:
                if not self.passing(error):
                    raise
                now = time.monotonic()
                since = now if since is None else since
                self.on_failure(server, error)
                if now - since > self.give_up_s:
                    raise
                log.warning(
                    "server away, trying again",
                    server=server,
                    error=type(error).__name__,
                    why=first_line(error),
                    pause_s=pause,
                )
                await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # so that several workers do not come at once
                pause = min(pause * 2, self.longest_pause_s)
            else:
                if since is not None:
                    log.info("server is back", server=server, away_s=round(time.monotonic() - since, 1))
                self.on_success(server)
                return result


def first_line(error: BaseException) -> str:
    """Return the first line of what a server or its client said; the lines after it may quote data."""
    lines = str(getattr(error, "orig", error)).strip().splitlines()
    return lines[0] if lines else type(error).__name__
