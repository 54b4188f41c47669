"""Python's garbage collector, tuned for a worker's memory."""

from __future__ import annotations

import gc
import time

#: Seconds between two collections.
_INTERVAL_S = 600.0
#: Objects allocated less objects freed before the collector starts by itself, which may be in the middle of the work.
_ALLOCATIONS, _GENERATIONS = 5_000_000, 1_000


class GarbageCollection:
    """From now on hardly anything but `collect_if_due` collects garbage.

    A worker keeps hundreds of thousands of objects without a cycle among them. Left alone, the collector walks over
    all of them again and again, for about a third of the worker's time, and frees nothing: work makes no cycles, only
    failures do. One walk over half a million objects takes 0.4 seconds, during which records wait.
    """

    def __init__(self) -> None:
        gc.collect()
        gc.freeze()
        gc.set_threshold(_ALLOCATIONS, _GENERATIONS, _GENERATIONS)
        self._collected_at = time.monotonic()

    def collect_if_due(self) -> None:
        """Collect garbage if it is time; to be called between two rounds of work, when little is kept."""
        if time.monotonic() - self._collected_at >= _INTERVAL_S:
            gc.collect()
            self._collected_at = time.monotonic()
