"""Who holds one key, over all time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush
from types import MappingProxyType
from typing import Any, NamedTuple

from pipeline.audit.identity.corrections import Corrections
from pipeline.audit.identity.records import IdentityRules, Naming, TypeRules, rank, type_rules
from pipeline.audit.identity.stretches import SHARED_MS, Stretch, is_shared, resolve, sharing_starts, stretches

#: A key that ever named more targets is shared for all time.
MOST_TARGETS = 1_000

_NO_ONE: Mapping[str, str] = MappingProxyType({})


class Segment(NamedTuple):
    """Who holds a key from `since` (None: from the beginning) until the next segment begins, and why.

    | why | |
    | --- | --- |
    | `named` | a stretch covers the time |
    | `held` | the stretch that ended last holds on |
    | `claimed` | the next stretch, a verified one, reaches back |
    | `merged` | a customer's key, whose survivor holds it |
    | `shared` | nobody holds it, since it is shared |
    | `overfull` | nobody holds it, since it has named too many targets ever |
    | `erased` | nobody holds it, since the stretch that decides is an erased customer's |
    | `nobody` | nobody holds it, since no stretch does |
    """

    since: int | None
    holder: str | None
    why: str


_NOBODY = Segment(None, None, "nobody")


def segments(
    key: str,
    namings: Iterable[Naming],
    corrections: Corrections,
    rules: IdentityRules,
    survivors: Mapping[str, str],
    erased: Mapping[str, str] = _NO_ONE,
) -> list[Segment]:
    """Return the segments of `key`, whose namings these all are; neighbours differ in holder or why.

    `erased` has the target that stands for an erased customer, by the customer's key.
    """
    if rank(key) == 0:
        target, is_erased = resolve(key, survivors, erased)
        if is_erased:
            return [Segment(None, None, "erased")]
        return [_NOBODY if target == key else Segment(None, target, "merged")]
    linking = [naming for naming in namings if naming.trust in ("verified", "declared")]
    if len({naming.target for naming in linking}) > MOST_TARGETS:
        return [Segment(None, None, "overfull")]
    own = stretches(linking, corrections, rules.stretch_ms, survivors, erased)
    return _joined(_segments(own, corrections.ends.get(key, ()), type_rules(key, rules))) if own else [_NOBODY]


def _segments(own: Sequence[Stretch], ends: Sequence[int], rules: TypeRules) -> list[Segment]:
    """Return a segment for each moment at which the holder may change."""
    shared = sharing_starts(own, rules.shared_above)
    changes = set(ends)
    for start in shared:
        changes |= {start - SHARED_MS, start + SHARED_MS + 1}
    for each in own:
        changes |= {each.started_at, each.ended_at + 1}
        if rules.hold_ms is not None:
            changes.add(each.ended_at + rules.hold_ms + 1)
        if rules.lookback_ms is not None:
            changes.add(each.started_at - rules.lookback_ms)
    moments = [min(changes) - 1, *sorted(changes)]  # the first stands for all time before
    covering = _covering(own, moments)
    beside = _Beside(own, ends, rules)
    result = []
    for number, (moment, stretch) in enumerate(zip(moments, covering, strict=True)):
        since = moment if number else None
        if is_shared(moment, shared):
            result.append(Segment(since, None, "shared"))
        elif stretch is not None:
            result.append(_segment(since, stretch, "named"))
        elif (stretch := beside.holds_on(moment)) is not None:
            result.append(_segment(since, stretch, "held"))
        elif (stretch := beside.reaches_back(moment)) is not None:
            result.append(_segment(since, stretch, "claimed"))
        else:
            result.append(Segment(since, None, "nobody"))
    return result


def _segment(since: int | None, stretch: Stretch, why: str) -> Segment:
    return Segment(since, None, "erased") if stretch.erased else Segment(since, stretch.target, why)


def _joined(every: Iterable[Segment]) -> list[Segment]:
    result: list[Segment] = []
    for each in every:
        if not result or each[1:] != result[-1][1:]:
            result.append(each)
    return result


def _covering(own: Sequence[Stretch], moments: Sequence[int]) -> list[Stretch | None]:
    """Return for each of the ascending moments the stretch that covers it.

    Of several it is the one that started last, then ended last, then the smaller target, then the verified one.
    """
    coming = sorted(own, key=lambda stretch: stretch.started_at, reverse=True)
    begun: list[tuple[Any, Stretch]] = []  # a heap, the best first; those on top that are over are taken off
    result: list[Stretch | None] = []
    for moment in moments:
        while coming and coming[-1].started_at <= moment:
            each = coming.pop()
            heappush(begun, ((-each.started_at, -each.ended_at, each.target, not each.verified), each))
        while begun and begun[0][1].ended_at < moment:
            heappop(begun)
        result.append(begun[0][1] if begun else None)
    return result


class _Beside:
    """The stretches before and after a moment, for the time in which none covers it."""

    def __init__(self, own: Sequence[Stretch], ends: Sequence[int], rules: TypeRules) -> None:
        self._by_end = sorted(own, key=lambda each: (-each.ended_at, -each.started_at, each.target, not each.verified))
        self._by_start = sorted(own, key=lambda each: (each.started_at, -each.ended_at, each.target, not each.verified))
        self._ends, self._rules = ends, rules

    def holds_on(self, moment: int) -> Stretch | None:
        """Return the stretch that ended last, if it still holds.

        Of several it is the one that started last, then the smaller target, then the verified one.
        """
        place = bisect_right(self._by_end, -moment, key=lambda stretch: -stretch.ended_at)
        if place == len(self._by_end):
            return None
        stretch, hold_ms = self._by_end[place], self._rules.hold_ms
        if hold_ms is not None and moment - stretch.ended_at > hold_ms:
            return None
        end = bisect_left(self._ends, stretch.ended_at)
        ended = end < len(self._ends) and self._ends[end] <= moment
        return None if ended else stretch

    def reaches_back(self, moment: int) -> Stretch | None:
        """Return the stretch that starts next, if it is verified and reaches back to the moment.

        Of several it is the one that ends last, then the smaller target, then the verified one.
        """
        place = bisect_right(self._by_start, moment, key=lambda stretch: stretch.started_at)
        if place == len(self._by_start):
            return None
        stretch, lookback_ms = self._by_start[place], self._rules.lookback_ms
        in_reach = lookback_ms is None or stretch.started_at - moment <= lookback_ms
        return stretch if stretch.verified and in_reach else None
