"""Event time: a partition's watermark moves on with its touchpoints, and closes the journeys that it has passed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pipeline.flow.sessions import mark_changed
from pipeline.flow.state import Customer
from pipeline.journey.admitted import Admitted
from pipeline.journey.journey import Journey


class EventTime(NamedTuple):
    """The watermark (epoch milliseconds), and the number of touchpoints that came late, by channel."""

    watermark: int
    late: Mapping[str, int]


def advance_watermark(events: Sequence[Admitted], watermark: int, *, now_ms: int, grace_ms: int) -> EventTime:
    """Return event time after touchpoints, in the order of their arrival.

    The watermark is the latest time seen. It never passes the clock `now_ms`: a producer whose clock is ahead must not
    close everybody's journeys. A touchpoint is late if the watermark had passed its cover and the grace.
    """
    late = []
    for event in events:
        at = event.step.at
        if at > watermark:
            watermark = max(watermark, min(at, now_ms))
        elif event.until + grace_ms < watermark:
            late.append(event.step.type.channel)
    return EventTime(watermark, Counter(late))


def close_passed(customers: Iterable[Customer], watermark: int, grace_ms: int, changed: list[Journey]) -> set[str]:
    """Open and close journeys by the watermark, and add those that change to `changed`.

    Returns the ids of journeys that close and have not changed otherwise.
    """
    only_closed: set[str] = set()
    for customer in customers:
        for journey in customer.journeys:
            is_open = journey.covers_until + grace_ms >= watermark
            if is_open != journey.is_open:
                journey.is_open = is_open
                if not is_open and not journey.is_changed:
                    only_closed.add(journey.journey_id)
                mark_changed(journey, changed)
    return only_closed
