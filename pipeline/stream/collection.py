"""Python's garbage collector, told what a worker's memory is like, and when to look at it."""

from __future__ import annotations

import gc
import time

#: Objects made, less those freed, before the new ones are looked at; and how often all are.
_ENOUGH = 100_000
_ALL_AFTER_S = 600.0
#: Objects made before the collector looks by itself, in the middle of work after which nobody calls `collect` for long.
_TOO_MUCH, _SELDOM = 5_000_000, 1_000


class Collecting:
    """From now on there is hardly any collecting but by `collect`.

    What a worker keeps are hundreds of thousands of customers without a cycle among them. Left alone, the collector
    walks over all of them again and again, for about a third of the worker's time, and frees nothing. Told to do that
    seldom, it still walks over a slice's records, for a twelfth of the time, when it comes in the middle of the work.
    And to walk over two million objects takes a third of a second, in which records wait: so what was new once, and is
    kept, is left alone for some minutes.
    """

    def __init__(self) -> None:
        self._all()
        gc.set_threshold(_TOO_MUCH, _SELDOM, _SELDOM)

    def collect(self) -> None:
        """Look for cycles, if there is enough that is new; to be called between two pieces of work, when little is
        kept."""
        if time.monotonic() - self._looked_at >= _ALL_AFTER_S:
            gc.unfreeze()
            self._all()
        elif gc.get_count()[0] >= _ENOUGH:
            gc.collect(0)
            gc.freeze()

    def _all(self) -> None:
        gc.collect()
        gc.freeze()
        self._looked_at = time.monotonic()
