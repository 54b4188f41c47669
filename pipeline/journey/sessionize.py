"""Sessionizing: joining a customer's touchpoints into connected intervals, in whatever order they arrive.

The words are those of Kafka Streams' session windows: sessions that a record meets are found, merged, and extended.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from pipeline.journey.journey import Journey, new_journey_id
from pipeline.journey.step import Step

#: The result of adding touchpoints: their journey now, the journeys that it absorbed, and the change in the number of
#: the customer's visits (journeys with activity).
Joined: TypeAlias = tuple[Journey, list[Journey], int]


def find_sessions(journeys: list[Journey], at: int, until: int) -> tuple[int, int]:
    """Return the slice (first, end) of a customer's journeys that the interval [at, until] meets; bounds are inclusive.

    `journeys` are disjoint and in order of time. The search goes backwards from their end, where most events belong.
    """
    end = len(journeys)
    while end and journeys[end - 1].started_at > until:
        end -= 1
    first = end
    while first and journeys[first - 1].covers_until >= at:
        first -= 1
    return first, end


def find_duplicates(journeys: list[Journey], steps: Sequence[Step], until: int) -> list[int]:
    """Return the indexes of steps that are duplicates: of an earlier step, or of one that a journey has.

    `steps` are a customer's, in order of time, and `until` is the latest end of their covers.
    """
    keys = [step.key for step in steps]
    seen = set(keys)
    met: list[set[bytes]] = []
    if journeys:
        first, end = find_sessions(journeys, steps[0].at, until)
        met = [journey.keys for journey in journeys[first:end]]
    if len(seen) == len(keys) and all(map(seen.isdisjoint, met)):
        return []
    seen.clear()
    duplicates = []
    for index, key in enumerate(keys):
        if key in seen or any(key in known for known in met):
            duplicates.append(index)
        seen.add(key)
    return duplicates


def join(journeys: list[Journey], customer: str, steps: list[Step], until: int, signs: int, salt: int = 0) -> Joined:
    """Put connected touchpoints into their journey: a new one, the one they meet, or the one that joins all they meet.

    `steps` are in order, without duplicates, and together cover the time up to `until`; `signs` are those of any of
    them. `journeys` are all of the customer's that reach the first step or later, disjoint and in order of time; they
    are changed in place. `salt` is that of a new journey's id.
    """
    first, end = find_sessions(journeys, steps[0].at, until)
    if first == end:
        journey = Journey(customer, new_journey_id(customer, steps[0], salt))
        journey.extend(steps, until, signs)
        journeys.insert(first, journey)
        return journey, [], int(journey.is_visit)
    visits = sum([met.is_visit for met in journeys[first:end]])
    journey = journeys[first]
    absorbed = journeys[first + 1 : end]
    for other in absorbed:
        journey.absorb(other)
    del journeys[first + 1 : end]
    journey.extend(steps, until, signs)
    return journey, absorbed, journey.is_visit - visits
