"""Drops repeated log lines: libraries repeat themselves while a server is unreachable."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable


class Repeats(logging.Filter):
    """Drops a line whose text before its arguments was logged less than `pause_s` seconds ago."""

    def __init__(self, pause_s: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._pause_s, self._clock = pause_s, clock
        self._let_through: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line is to be logged."""
        now, text = self._clock(), str(record.msg)
        if now - self._let_through.get(text, -self._pause_s) < self._pause_s:
            return False
        if len(self._let_through) > 1000:
            self._let_through.clear()
        self._let_through[text] = now
        return True
