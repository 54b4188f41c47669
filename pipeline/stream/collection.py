"""Python's garbage collector, told what a worker's memory is like, and when to look at it."""

from __future__ import annotations

import gc

#: Objects made, less those freed, before the new ones are looked at; and after how many such looks those that have been
#: looked at once are looked at again.
_ENOUGH, _AGAIN = 100_000, 20
#: The same in the middle of the work, where nobody calls `collect` for long.
_TOO_MUCH, _SELDOM = 5_000_000, 1_000


def calm() -> None:
    """From now on there is hardly any collecting but by `collect`.

    What a worker keeps are hundreds of thousands of customers without a cycle among them. Left alone, the collector
    walks over all of them again and again, for about a third of the worker's time, and frees nothing. Told to do that
    seldom, it still walks over a slice's records, for a twelfth of the time, when it comes in the middle of the work.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_TOO_MUCH, _AGAIN, _SELDOM)


def collect() -> None:
    """Look for cycles, if there is enough that is new; to be called between two pieces of work, when little is kept."""
    new, looks, _ = gc.get_count()
    if new >= _ENOUGH:
        gc.collect(1 if looks >= _AGAIN else 0)
