"""The stretches of one key, and when it is shared."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pipeline.audit.identity.corrections import Corrections
from pipeline.audit.identity.records import Naming

#: How far before and after the start of a stretch a key is shared, if too many targets meet the time before it.
SHARED_MS = 30 * 86_400_000


class Stretch(NamedTuple):
    """A time, both ends inclusive, in which a key was named with one target: the survivor, or an erased customer."""

    started_at: int
    ended_at: int
    target: str
    verified: bool
    erased: bool


def stretches(
    namings: Iterable[Naming],
    corrections: Corrections,
    stretch_ms: int,
    survivors: Mapping[str, str],
    erased: Mapping[str, str],
) -> list[Stretch]:
    """Return the stretches of the key that all `namings` are of, without void ones; trust is `verified` or `declared`.

    They are formed by the target as named, and are then those of its survivor. `erased` has the target that stands for
    an erased customer, `erased:<token>`, by the customer's key.
    """
    times: defaultdict[tuple[str, bool], list[int]] = defaultdict(list)
    for naming in namings:
        if not corrections.makes_void(naming):
            times[naming.target, naming.trust == "verified"].append(naming.at)
    result = []
    for (named, verified), moments in times.items():
        target, is_erased = resolve(named, survivors, erased)
        for started_at, ended_at in _connected(moments, stretch_ms):
            result.append(Stretch(started_at, ended_at, target, verified, is_erased))
    return result


def resolve(target: str, survivors: Mapping[str, str], erased: Mapping[str, str]) -> tuple[str, bool]:
    """Return whose a link to `target` is, its survivor's, and whether that customer or the survivor is erased."""
    for customer in (target, survivors.get(target, target)):
        if customer in erased:
            return erased[customer], True
    return survivors.get(target, target), False


def _connected(moments: Iterable[int], pause: int) -> Iterator[tuple[int, int]]:
    """Yield first and last of the moments that follow each other within `pause`, inclusive."""
    first, *rest = sorted(moments)
    last = first
    for moment in rest:
        if moment - last > pause:
            yield first, last
            first = moment
        last = moment
    yield first, last


def sharing_starts(all_stretches: Sequence[Stretch], shared_above: int) -> list[int]:
    """Return the starts, ascending, of the stretches with which more than `shared_above` targets meet SHARED_MS."""
    by_start = sorted(all_stretches, key=lambda stretch: stretch.started_at)
    by_end = sorted(all_stretches, key=lambda stretch: stretch.ended_at)
    counts: Counter[str] = Counter()
    begun = over = 0
    result = []
    for start in sorted({stretch.started_at for stretch in all_stretches}):
        while begun < len(by_start) and by_start[begun].started_at <= start:
            counts[by_start[begun].target] += 1
            begun += 1
        # Whatever ended before the window has begun, too, and is counted.
        while by_end[over].ended_at < start - SHARED_MS:
            counts[by_end[over].target] -= 1
            if not counts[by_end[over].target]:
                del counts[by_end[over].target]
            over += 1
        if len(counts) > shared_above:
            result.append(start)
    return result


def is_shared(moment: int, starts: Sequence[int]) -> bool:
    """Return whether one of the ascending `starts` is at most SHARED_MS away from a moment."""
    place = bisect_left(starts, moment - SHARED_MS)
    return place < len(starts) and starts[place] <= moment + SHARED_MS
