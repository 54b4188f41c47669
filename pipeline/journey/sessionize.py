"""Sessionizing: a customer's touchpoints joined into connected intervals, in whatever order they come."""

from __future__ import annotations

from pipeline.journey.journey import Journey, new_id
from pipeline.journey.step import Step

#: What adding a touchpoint did: the journey it is in now, those that were absorbed by it, and by how many the number of
#: the customer's visits (journeys with a touchpoint that they began) changed.
Placed = tuple[Journey, list[Journey], int]


def span(journeys: list[Journey], at: int, until: int) -> tuple[int, int]:
    """The slice of a customer's journeys that a touchpoint covering [at, until] meets; both bounds are inclusive.

    `journeys` are disjoint and in order of time, so that only their end needs to be walked for what comes in order.
    """
    end = len(journeys)
    while end and journeys[end - 1].started_at > until:
        end -= 1
    first = end
    while first and journeys[first - 1].covers_until >= at:
        first -= 1
    return first, end


def place(journeys: list[Journey], customer: str, step: Step, until: int, begun_by_customer: bool) -> Placed | None:
    """Put a touchpoint into its journey: a new one, the one it meets, or the one that joins all those it meets.

    None when it is a duplicate: the journey that covers its time has it already. `journeys` are all of the customer's
    that reach `step.at` or later, disjoint and in order of time; they are changed in place.
    """
    first, end = span(journeys, step.at, until)
    if first == end:
        journey = Journey(customer, new_id(customer, step))
        journey.add(step, until, begun_by_customer)
        journeys.insert(first, journey)
        return journey, [], int(begun_by_customer)
    for met in journeys[first:end]:
        if step.key in met.keys:
            return None
    visits = sum([met.begun_by_customer for met in journeys[first:end]])
    journey = journeys[first]
    absorbed = journeys[first + 1 : end]
    for other in absorbed:
        journey.absorb(other)
    del journeys[first + 1 : end]
    journey.add(step, until, begun_by_customer)
    return journey, absorbed, journey.begun_by_customer - visits
