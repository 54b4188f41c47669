"""Portions: how much of what waits to be restated goes into one transaction, so that it holds up nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import NamedTuple

from pipeline.flow.identity_rows import RestatementRow

#: Number of touchpoints of a partition that are restated in one transaction, and of keys. A journey is restated as a
#: whole.
MAX_RESTATED, MAX_KEYS = 2_000, 100


class Share(NamedTuple):
    """The keys whose turn it is, and the number of touchpoints of each that are restated at once."""

    rows: list[RestatementRow]
    touchpoints: int


def next_share(waiting: Mapping[str, RestatementRow]) -> Share:
    """Return those that have waited longest, each with as much as the others."""
    rows = list(islice(waiting.values(), MAX_KEYS))
    return Share(rows, max(MAX_RESTATED // max(len(rows), 1), 1))


def portion_end(until: int, ends: Iterable[int | None]) -> int:
    """Return when a portion ends: with the restatement, or where one of the limits is reached before."""
    return min([until, *[end for end in ends if end is not None]])
