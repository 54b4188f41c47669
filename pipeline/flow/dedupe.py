"""dedupe: a customer's touchpoints of a slice in order of time, without those that were there before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pipeline.journey.admitted import Admitted
from pipeline.journey.journey import Journey
from pipeline.journey.sessionize import find_duplicates
from pipeline.journey.step import Step


def group_by_customer(admitted: Sequence[Admitted]) -> Mapping[str, list[Admitted]]:
    """Return the touchpoints of each customer, in the order of their arrival."""
    groups: defaultdict[str, list[Admitted]] = defaultdict(list)
    for event in admitted:
        groups[event.customer].append(event)
    return groups


def drop_duplicates(journeys: list[Journey], events: list[Admitted], duplicates: list[Admitted]) -> list[Admitted]:
    """Return a customer's touchpoints that neither a journey has nor arrived earlier, in order of time.

    The others are added to `duplicates`. Of duplicates that say different things, the one that arrived first counts.
    """
    steps = [event.step for event in events]
    until = events[0].until
    is_in_order = True
    if len(events) > 1:
        until = max([event.until for event in events])
        is_in_order = _is_in_order(steps)
        if not is_in_order:
            # By time alone: copies can differ in their sequence, and those of a moment stay as they arrived.
            events = sorted(events, key=_at)
            steps = [event.step for event in events]
    places = find_duplicates(journeys, steps, until)
    if places:
        duplicates += [events[place] for place in places]
        dropped = set(places)
        events = [event for place, event in enumerate(events) if place not in dropped]
    return events if is_in_order else sorted(events, key=_place)


def without(admitted: Sequence[Admitted], duplicates: Sequence[Admitted]) -> Sequence[Admitted]:
    """Return touchpoints without those very ones that are duplicates; equal ones stay."""
    if not duplicates:
        return admitted
    dropped = {id(event) for event in duplicates}
    return [event for event in admitted if id(event) not in dropped]


def _at(event: Admitted) -> int:
    return event.step.at


def _place(event: Admitted) -> tuple[int, int, bytes]:
    return event.step.place


def _is_in_order(steps: Sequence[Step]) -> bool:
    """Return whether each touchpoint happened after the one before."""
    last = -1
    for step in steps:
        at = step.at
        if at <= last:
            return False
        last = at
    return True
