"""Sessionizing: a customer's touchpoints joined into connected intervals, in whatever order they come."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.journey.journey import Journey, new_id
from pipeline.journey.step import Step

#: What adding touchpoints did: the journey they are in now, those that were absorbed by it, and by how many the number
#: of the customer's visits (journeys with a touchpoint that they began) changed.
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
    """Put a touchpoint into its journey; None when it is a duplicate: the journey that covers its time has it already.

    `journeys` are all of the customer's that reach `step.at` or later, disjoint and in order of time; they are changed
    in place.
    """
    if repeated(journeys, [step], until):
        return None
    return join(journeys, customer, [step], until, begun_by_customer)


def repeated(journeys: list[Journey], steps: Sequence[Step], until: int) -> list[int]:
    """Which of a customer's steps, by their places, are duplicates: of an earlier one, or of one that a journey has.

    `steps` are in order, and `until` is the latest end of their covers.
    """
    keys = [step[1] for step in steps]
    seen = set(keys)
    met: list[set[bytes]] = []
    if journeys:
        first, end = span(journeys, steps[0].at, until)
        met = [journey.keys for journey in journeys[first:end]]
    if len(seen) == len(keys) and all(seen.isdisjoint(known) for known in met):
        return []
    seen.clear()
    places = []
    for place, key in enumerate(keys):
        if key in seen or any(key in known for known in met):
            places.append(place)
        seen.add(key)
    return places


def join(journeys: list[Journey], customer: str, steps: list[Step], until: int, begun_by_customer: bool) -> Placed:
    """Put connected touchpoints into their journey: a new one, the one they meet, or the one that joins all they meet.

    `steps` are in order, without duplicates, and together cover the time up to `until`. `journeys` are all of the
    customer's that reach the first step or later, disjoint and in order of time; they are changed in place.
    """
    first, end = span(journeys, steps[0].at, until)
    if first == end:
        journey = Journey(customer, new_id(customer, steps[0]))
        journey.extend(steps, until, begun_by_customer)
        journeys.insert(first, journey)
        return journey, [], int(begun_by_customer)
    visits = sum([met.begun_by_customer for met in journeys[first:end]])
    journey = journeys[first]
    absorbed = journeys[first + 1 : end]
    for other in absorbed:
        journey.absorb(other)
    del journeys[first + 1 : end]
    journey.extend(steps, until, begun_by_customer)
    return journey, absorbed, journey.begun_by_customer - visits
