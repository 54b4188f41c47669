"""dedupe: a slice's touchpoints by customer, in order of time, without those that were there before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.flow.state import Customer
from pipeline.journey.admitted import Admitted
from pipeline.journey.sessionize import find_duplicates
from pipeline.journey.step import Step


class Deduplicated(NamedTuple):
    """New touchpoints: of each customer in order of time, and all of them in the order of arrival."""

    by_customer: list[tuple[Customer, list[Admitted]]]
    admitted: Sequence[Admitted]
    duplicates: int


def drop_duplicates(customers: Mapping[str, Customer], admitted: Sequence[Admitted]) -> Deduplicated:
    """Return the touchpoints that neither a journey has nor stood earlier in the slice.

    Of duplicates that say different things, the one that arrived first counts.
    """
    by_name: defaultdict[str, list[Admitted]] = defaultdict(list)
    for event in admitted:
        by_name[event.customer].append(event)
    by_customer = []
    duplicates: set[int] = set()
    for name, events in by_name.items():
        customer = customers[name]
        steps = [event.step for event in events]
        if not _is_in_order(steps):
            events.sort(key=_time_and_key)
            steps = [event.step for event in events]
        if places := find_duplicates(customer.journeys, steps, max([event.until for event in events])):
            duplicates.update([id(events[place]) for place in places])
            events = [event for event in events if id(event) not in duplicates]
        if events:
            by_customer.append((customer, events))
    if duplicates:
        admitted = [event for event in admitted if id(event) not in duplicates]
    return Deduplicated(by_customer, admitted, len(duplicates))


def _time_and_key(event: Admitted) -> tuple[int, bytes]:
    return event.step.at, event.step.key


def _is_in_order(steps: list[Step]) -> bool:
    """Return whether each touchpoint happened after the one before."""
    last = -1
    for step in steps:
        at = step.at
        if at <= last:
            return False
        last = at
    return True
