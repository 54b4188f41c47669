"""Segments: who holds a key from when on."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from itertools import accumulate
from typing import NamedTuple

from pipeline.identity.naming import VERIFIED
from pipeline.identity.policy import TypePolicy
from pipeline.identity.stretches import Stretch

#: Before and after all times (epoch milliseconds): the years 1 and 9999, which databases and languages still know.
BEGINNING, END = -62_135_596_800_000, 253_402_300_799_999
#: How far back, and how long afterwards, many targets make a key a shared one: 30 days.
SHARED_MS = 30 * 86_400_000

#: Why a key is held, or not: a stretch covers the moment; it was held before, and still is; a verified stretch comes
#: later; nobody has a claim; several use it; more than a thousand have; its customer was erased; the customer was
#: merged.
NAMED, HELD, CLAIMED, NOBODY = "named", "held", "claimed", "nobody"
SHARED, OVERFULL, ERASED, MERGED = "shared", "overfull", "erased", "merged"


class Segment(NamedTuple):
    """From `since` (epoch milliseconds) until the next segment begins, the key is `holder`'s, or its own (None).

    `stretch` is what it rests on, with the survivor as its target.
    """

    since: int
    holder: str | None
    why: str
    stretch: Stretch | None = None


#: The segments of a key of which nothing is known.
UNKNOWN: Sequence[Segment] = (Segment(BEGINNING, None, NOBODY),)


def segments(stretches: Iterable[Stretch], ends: Iterable[int], policy: TypePolicy) -> Sequence[Segment]:
    """Return who holds a key over time, from `BEGINNING` on.

    `stretches` are verified and declared ones, with survivors as targets; `ends` are the times of valid
    `identity_ended`. Who holds it changes at few moments only; at each of them the rules of docs/identity.md are
    applied.
    """
    rules = _Rules(list(stretches), sorted(ends), policy)
    found: list[Segment] = []
    for at in rules.changes():
        segment = rules.at(at)
        if not found or found[-1][1:] != segment[1:]:
            found.append(segment)
    return tuple(found)


def holder_at(of_key: Sequence[Segment], at: int) -> str | None:
    """Return who holds a key at a moment."""
    if len(of_key) == 1:
        return of_key[0].holder
    return of_key[bisect_right(of_key, at, key=_since) - 1].holder


def differences(before: Sequence[Segment], after: Sequence[Segment]) -> tuple[int, int] | None:
    """Return the first and the last moment at which two sequences name different holders; None if nowhere.

    The last one is `END` if they differ for good.
    """
    times = sorted({segment.since for segment in [*before, *after]})
    holders = zip(_holders(before, times), _holders(after, times), strict=True)
    different = [holder != other for holder, other in holders]
    if True not in different:
        return None
    first, last = different.index(True), len(times) - 1 - different[::-1].index(True)
    return times[first], times[last + 1] - 1 if last + 1 < len(times) else END


def _holders(of_key: Sequence[Segment], times: Sequence[int]) -> list[str | None]:
    """Return who holds a key at each of these moments, which are in order."""
    holders, place, last = [], 0, len(of_key) - 1
    for at in times:
        while place < last and of_key[place + 1].since <= at:
            place += 1
        holders.append(of_key[place].holder)
    return holders


class _Rules:
    """The rules, with what they look up in order."""

    def __init__(self, stretches: list[Stretch], ends: list[int], policy: TypePolicy) -> None:
        # Of equals the smaller target goes first, and of that the verified stretch: sorting is stable.
        preferred = sorted(stretches, key=lambda each: (each.target, each.trust != VERIFIED))
        last = [*reversed(preferred)]
        self._policy, self._ends = policy, ends
        self._by_start = sorted(last, key=lambda each: (each.started_at, each.ended_at))
        self._starts = [each.started_at for each in self._by_start]
        self._reach = list(accumulate([each.ended_at for each in self._by_start], max))
        self._by_end = sorted(last, key=lambda each: (each.ended_at, each.started_at))
        self._ended = [each.ended_at for each in self._by_end]
        self._next = sorted(preferred, key=lambda each: (each.started_at, -each.ended_at))
        self._shared = shared_intervals(stretches, policy.shared_above)

    def changes(self) -> list[int]:
        """Return all moments at which something can change."""
        hold, lookback = self._policy.hold_ms, self._policy.lookback_ms
        times = {BEGINNING, *self._ends}
        for begin, end in self._shared:
            times |= {begin, end + 1}
        for each in self._by_start:
            times |= {each.started_at, each.ended_at + 1}
            if hold is not None:
                times.add(each.ended_at + hold + 1)
            if lookback is not None:
                times.add(each.started_at - lookback)
        return sorted(times)

    def at(self, at: int) -> Segment:
        """Return who holds the key at a moment."""
        place = bisect_right(self._shared, at, key=lambda interval: interval[0]) - 1
        if place >= 0 and at <= self._shared[place][1]:
            return Segment(at, None, SHARED)
        if (covering := self._covering(at)) is not None:
            return _held_by(covering, at, NAMED)
        if (before := self._held_from_before(at)) is not None:
            return _held_by(before, at, HELD)
        if (later := self._claimed_later(at)) is not None:
            return _held_by(later, at, CLAIMED)
        return Segment(at, None, NOBODY)

    def _covering(self, at: int) -> Stretch | None:
        place = bisect_right(self._starts, at) - 1
        while place >= 0 and self._reach[place] >= at:
            if self._by_start[place].ended_at >= at:
                return self._by_start[place]
            place -= 1
        return None

    def _held_from_before(self, at: int) -> Stretch | None:
        place = bisect_left(self._ended, at) - 1
        if place < 0:
            return None
        stretch, hold = self._by_end[place], self._policy.hold_ms
        if hold is not None and at - stretch.ended_at > hold:
            return None
        end = bisect_left(self._ends, stretch.ended_at)
        return None if end < len(self._ends) and self._ends[end] <= at else stretch

    def _claimed_later(self, at: int) -> Stretch | None:
        place = bisect_right(self._starts, at)
        if place == len(self._next):
            return None
        stretch, lookback = self._next[place], self._policy.lookback_ms
        is_near = lookback is None or stretch.started_at - at <= lookback
        return stretch if is_near and stretch.trust == VERIFIED else None


def shared_intervals(stretches: Iterable[Stretch], shared_above: int) -> list[tuple[int, int]]:
    """Return when a key is shared: disjoint intervals, both ends inclusive, in order.

    It is from 30 days before to 30 days after the start of each stretch with which more than `shared_above` targets
    have stretches that meet the 30 days up to it.
    """
    in_order = sorted(stretches, key=lambda each: each.started_at)
    if len(in_order) <= shared_above:
        return []
    targets: Counter[str] = Counter()
    ending: list[tuple[int, str]] = []
    intervals: list[tuple[int, int]] = []
    for place, each in enumerate(in_order):
        at = each.started_at
        targets[each.target] += 1
        heappush(ending, (each.ended_at, each.target))
        if place + 1 < len(in_order) and in_order[place + 1].started_at == at:
            continue  # all that start at this moment count
        while ending and ending[0][0] < at - SHARED_MS:
            _, target = heappop(ending)
            targets[target] -= 1
            if not targets[target]:
                del targets[target]
        if len(targets) > shared_above:
            begin = at - SHARED_MS
            if intervals and begin <= intervals[-1][1] + 1:
                begin = intervals.pop()[0]
            intervals.append((begin, at + SHARED_MS))
    return intervals


def _held_by(stretch: Stretch, at: int, why: str) -> Segment:
    if stretch.holds_nobody:
        return Segment(at, None, ERASED, stretch)
    return Segment(at, stretch.target, why, stretch)


def _since(segment: Segment) -> int:
    return segment.since
