"""Portions: how much of what waits to be restated goes into one transaction, so that it holds up nobody."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import NamedTuple

from pipeline.flow.identity_rows import RestatementRow
from pipeline.flow.long_journeys import LONG
from pipeline.flow.state import Customer

#: Number of touchpoints of a partition that are restated in one transaction, and of keys. A journey is restated as a
#: whole.
MAX_RESTATED, MAX_KEYS = 500, 100


class Share(NamedTuple):
    """The keys whose turn it is, and the number of touchpoints of each that are restated at once."""

    rows: list[RestatementRow]
    touchpoints: int


def next_share(waiting: Mapping[str, RestatementRow]) -> Share:
    """Return those that have waited longest, each with as much as the others."""
    rows = list(islice(waiting.values(), MAX_KEYS))
    return Share(rows, max(MAX_RESTATED // max(len(rows), 1), 1))


def at_once(told: int) -> int:
    """Return how many touchpoints may be restated in a batch that is told so many things, along with them."""
    return max(MAX_RESTATED, told)


def is_small(customer: Customer | None, row: RestatementRow, touchpoints: int) -> bool:
    """Return whether a restatement needs no portions, as far as this is known without looking it up."""
    if customer is None or customer.has_aside or row.since < customer.known_from:
        return False
    return sum([journey.touchpoints for journey in customer.journeys]) <= touchpoints


class LastJourney(NamedTuple):
    """The journey with which a portion has as many touchpoints as it may have. Times are epoch milliseconds."""

    started_at: int
    ended_at: int
    steps_omitted: int


def portion_end(until: int, last: LastJourney | None, aside_at: int | None) -> int:
    """Return when a portion ends: with the restatement, or where it has as many touchpoints as it may have.

    `last` is the journey with which it has, `aside_at` the time of the touchpoint of those that journeys don't show;
    long journeys leave out some of their own. A portion ends within a journey only if that is a long one.
    """
    if last is None:
        return until if aside_at is None else min(until, aside_at)
    if aside_at is None or (aside_at >= last.started_at and last.steps_omitted <= LONG):
        return min(until, last.ended_at)
    return min(until, last.ended_at, aside_at)
