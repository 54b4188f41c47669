"""How long it took until processing went on, from what the database and the broker have noted."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from statistics import median

from faults.history import Change

#: A partition without a record for so long after the moment says nothing about recovery.
_SILENT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A moment (epoch seconds) from which on recovery counts.

    `killed`: workers that were killed then; their partitions have recovered with a commit under a later epoch.
    """

    cause: str
    at: float
    killed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Recoveries from one cause, in seconds."""

    count: int
    median: float
    p90: float
    worst: float


def seconds(
    fault: Fault, changes: Sequence[Change], appended: Mapping[int, Sequence[tuple[int, float]]]
) -> float | None:
    """From the moment until the last of the partitions has committed a record again; None if none had one to commit.

    `appended` has each partition's records: offset and append time in epoch seconds, in order. Where the first record
    to be processed afterwards was appended later than the moment, time counts from there: until then there was nothing
    to process. Infinite if a partition that had records never committed any.
    """
    found = [_of_partition(fault, own, appended.get(number, ())) for number, own in by_partition(changes).items()]
    return max((each for each in found if each is not None), default=None)


def by_partition(changes: Iterable[Change]) -> dict[int, list[Change]]:
    """Changes of each partition, in their order."""
    found: dict[int, list[Change]] = {}
    for change in changes:
        found.setdefault(change.partition, []).append(change)
    return found


def _of_partition(fault: Fault, own: Sequence[Change], appended: Sequence[tuple[int, float]]) -> float | None:
    before = [change for change in own if change.at <= fault.at]
    epoch = before[-1].epoch if before and before[-1].owner in fault.killed else 0
    position = before[-1].next_offset if before else 0
    first = bisect_left(appended, (position, 0.0))
    if first == len(appended) or appended[first][1] > fault.at + _SILENT_S:
        return None
    since = max(fault.at, appended[first][1])
    for last, change in pairwise(before[-1:] + [each for each in own if each.at > fault.at]):
        if change.next_offset > last.next_offset and change.epoch > epoch:
            return max(0.0, change.at - since)
    return float("inf")


def summed(found: Sequence[float]) -> Recovery | None:
    """Median, 90th percentile (nearest rank) and worst; None of nothing."""
    if not found:
        return None
    ordered = sorted(found)
    return Recovery(
        count=len(ordered), median=median(ordered), p90=ordered[ceil(0.9 * len(ordered)) - 1], worst=ordered[-1]
    )
