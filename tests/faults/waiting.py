"""Waiting for a condition."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class NotReached(Exception):
    """What was waited for did not happen in time."""


def wait_for(happened: Callable[[], T], what: str, seconds: float = 60.0, every: float = 0.05) -> T:
    """The first true result; raises NotReached, which names `what`, after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := happened():
            return result
        time.sleep(every)
    raise NotReached(f"not within {seconds:.0f} s: {what}")
