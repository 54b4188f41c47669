"""Python's garbage collector, told what a worker's memory is like."""

from __future__ import annotations

import gc

#: Objects made, less those freed, before the young are looked at; and how often the old ones are after that.
_YOUNG, _MIDDLE, _OLD = 1_000_000, 20, 1_000


def calm() -> None:
    """Look for cycles seldom.

    What a worker keeps are hundreds of thousands of customers without a cycle among them. Left alone, the collector
    walks over all of them again and again, for about a third of the worker's time, and frees nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
