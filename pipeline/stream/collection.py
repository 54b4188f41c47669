"""Python's garbage collector, told what a worker's memory is like, and when to look at it."""

from __future__ import annotations

import gc
import time

#: How often to look.
_EVERY_S = 600.0
#: Objects made, less those freed, before the collector looks by itself, which may be in the middle of the work.
_TOO_MUCH, _SELDOM = 5_000_000, 1_000


class Collecting:
    """From now on there is hardly any collecting but by `collect`.

    What a worker keeps are hundreds of thousands of customers without a cycle among them. Left alone, the collector
    walks over all of them again and again, for about a third of the worker's time, and frees nothing: a worker at work
    makes no cycles, only what fails does. To walk over half a million objects takes 0.4 seconds, in which records wait.
    """

    def __init__(self) -> None:
        gc.collect()
        gc.freeze()
        gc.set_threshold(_TOO_MUCH, _SELDOM, _SELDOM)
        self._looked_at = time.monotonic()

    def collect(self) -> None:
        """Look for cycles, if it is time; to be called between two pieces of work, when little is kept."""
        if time.monotonic() - self._looked_at >= _EVERY_S:
            gc.collect()
            self._looked_at = time.monotonic()
