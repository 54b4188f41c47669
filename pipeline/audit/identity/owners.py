"""Whose a touchpoint is, and which copy of one event counts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from pipeline.audit.identity.records import rank
from pipeline.audit.identity.segments import Segment


class Copy(NamedTuple):
    """One of several records of one event (same source, event_id and occurred_at) that have one owner.

    `arrived` is the offset; records with the same own key are on one partition.
    """

    own: str
    arrived: int


def holder(at: int, every: Sequence[Segment]) -> str | None:
    """Return who holds a key at a moment, by the key's segments."""
    # The first one holds from the beginning; all others have a `since`.
    begun = bisect_right(every, at, lo=1, key=lambda segment: segment.since or 0)
    return every[begun - 1].holder


def owner(key: str, at: int, segments_of: Callable[[str], Sequence[Segment]]) -> str:
    """Return the owner of a touchpoint with the own key `key` at `at`: the last holder upwards, or the key itself."""
    while (stronger := holder(at, segments_of(key))) is not None:
        key = stronger
    return key


def choose(copies: Iterable[Copy]) -> Copy:
    """Return the copy that counts: of the strongest own key, then the smaller key, then the first that arrived."""
    return min(copies, key=lambda copy: (rank(copy.own), copy.own, copy.arrived))
