"""Delivery of simulated touchpoints: most at once, some days late, some twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from random import Random

from pipeline.simulate.story import DAY, HOUR
from pipeline.touchpoint import Touchpoint


def delivered(
    touchpoints: Iterable[Touchpoint], *, seed: int, disorder: float = 0.0, late_days: float = 0.0, duplicates: float
) -> Iterator[Touchpoint]:
    """Yield the touchpoints in order of delivery.

    A share `disorder` (0 to 1) comes late, by up to `late_days`; a share `duplicates` (0 to 1) comes once more within
    the hour, on top. None is lost: those still held back come at the end. The same arguments give the
    same order. Only those that are held back take memory.
    """
    rng = Random(f"delivery {seed}")
    held: list[tuple[int, int, Touchpoint]] = []
    most = max(int(late_days * DAY), 1)
    for number, touchpoint in enumerate(touchpoints):
        while held and held[0][0] <= touchpoint.occurred_at:
            yield heappop(held)[2]
        if disorder and rng.random() < disorder:
            heappush(held, (touchpoint.occurred_at + 1 + int(rng.random() * most), number, touchpoint))
        else:
            yield touchpoint
        if duplicates and rng.random() < duplicates:
            heappush(held, (touchpoint.occurred_at + 1 + int(rng.random() * HOUR), number, touchpoint))
    while held:
        yield heappop(held)[2]
