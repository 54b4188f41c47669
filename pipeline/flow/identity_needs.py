"""What of the ledger a slice needs so that `identities` can do its work, beside the customers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipeline.flow.exchange import Corrected, Message, Named, Transferred, Withdrawn
from pipeline.flow.identity_rows import OMITTED
from pipeline.flow.joined_customer import Readmit
from pipeline.flow.long_journeys import is_long
from pipeline.flow.state import Customer, Partition
from pipeline.flow.values import AdmittedSlice
from pipeline.identity.correction_log import CorrectionLog
from pipeline.journey.journey import Journey
from pipeline.journey.sessionize import find_sessions


class AsidePoint(NamedTuple):
    """A touchpoint of a key of which all rows of `identity_touchpoint` are needed; times are epoch milliseconds."""

    key: str
    at: int
    event_key: bytes


class Span(NamedTuple):
    """A span of time of a key; both ends (epoch milliseconds) are inclusive."""

    key: str
    since: int
    until: int


class Concerned(NamedTuple):
    """What new corrections change.

    `events` (source, event_id) are void now, or no longer are; `customers` have another survivor, or by another merge.
    """

    events: Sequence[tuple[str, str]]
    customers: Sequence[str]


def concerned_by(messages: Iterable[Message], log: CorrectionLog) -> Concerned:
    """Return what the corrections of all keys among messages change, given those that are known."""
    after = log.with_added([each.correction for each in messages if isinstance(each, Corrected) and each.key is None])
    if after is log:
        return Concerned((), ())
    void, void_after = log.retractions, after.retractions
    events = {event for event in {**void, **void_after} if void.get(event) != void_after.get(event)}
    customers = {
        customer
        for customer in {**log.merges, **after.merges}
        if log.survivor(customer) != after.survivor(customer) or log.merges.get(customer) != after.merges.get(customer)
    }
    return Concerned(sorted(events), sorted(customers))


def aside_to_load(partition: Partition, admitted: AdmittedSlice) -> tuple[list[AsidePoint], list[Span]]:
    """Return which touchpoints that journeys don't show can be concerned; the customers are in memory."""
    customers = partition.customers
    spans = [
        Span(row.key, row.since, until)
        for row, until, *_ in admitted.restatements
        if row.since <= until and customers[row.key].has_aside
    ]
    return _points(partition, admitted), spans


def windows_to_load(partition: Partition, admitted: AdmittedSlice, readmit: Readmit) -> list[Span]:
    """Return when customers can have journeys that change, as far as memory lacks them.

    The customers are in memory, and `admitted.aside` is there.
    """
    windows: dict[str, list[tuple[int, int]]] = {}
    for message in admitted.messages:
        if isinstance(message, Transferred):
            known_from = partition.customers[message.key].known_from
            covers = [(step.at, readmit(message.key, step).until) for step in message.steps if step.at < known_from]
            windows.setdefault(message.key, []).extend(covers)
        elif isinstance(message, Withdrawn):
            windows.setdefault(message.key, []).extend([(place.at, place.at) for place in message.places])
    for row, until, *_ in admitted.restatements:
        if row.since <= until:
            windows.setdefault(row.key, []).append((row.since, until))
    for aside in admitted.aside:  # which may come back
        if aside.place != OMITTED and aside.key in windows:
            windows[aside.key].append((aside.at, readmit(aside.key, aside.step).until))
    return [
        Span(key, since, until)
        for key, times in windows.items()
        for since, until in _joined(times)
        if since < partition.customers[key].known_from
    ]


def _joined(times: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return intervals as disjoint ones."""
    joined: list[tuple[int, int]] = []
    for since, until in sorted(times):
        if joined and since <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], until)
        else:
            joined.append((since, until))
    return joined


class Shortened(NamedTuple):
    """A long journey of a restated key that loses its first touchpoints, those up to `until` (epoch milliseconds)."""

    journey: Journey
    until: int


def shortened(partition: Partition, admitted: AdmittedSlice) -> list[Shortened]:
    """Return the journeys that may be shortened, rather than loaded as a whole. All that can change are in memory."""
    return [
        Shortened(journey, until)
        for row, until, *_ in admitted.restatements
        for journey in _journeys_that_omit(partition.customers[row.key], row.since, until)
        if is_long(journey) and row.since <= journey.started_at and until < journey.ended_at
    ]


def omitted_to_load(
    partition: Partition, points: Iterable[AsidePoint], admitted: AdmittedSlice, without: Iterable[Journey]
) -> list[Span]:
    """Return when those journeys are that touchpoints may leave, and whose omitted steps are needed then.

    All journeys that can change are in memory. Some can do `without`.
    """
    customers = partition.customers
    journeys = [
        journey
        for key, at, event_key in points
        for journey in _journeys_that_omit(customers[key], at, at)
        if event_key in journey.keys
    ]
    for row, until, *_ in admitted.restatements:
        journeys += _journeys_that_omit(customers[row.key], row.since, until)
    shorter = {journey.journey_id for journey in without}
    journeys = [journey for journey in journeys if journey.journey_id not in shorter]
    return list(dict.fromkeys([Span(each.customer, each.started_at, each.ended_at) for each in journeys]))


def _points(partition: Partition, admitted: AdmittedSlice) -> list[AsidePoint]:
    """Return the touchpoints of a slice, as far as their customers have some that journeys don't show."""
    customers = partition.customers
    points = [
        AsidePoint(event.customer, event.step.at, event.step.key)
        for event in admitted.admitted
        if customers[event.customer].has_aside
    ]
    for message in admitted.messages:
        if isinstance(message, (Named, Corrected)) or not customers[message.key].has_aside:
            continue
        if isinstance(message, Transferred):
            points += [AsidePoint(message.key, step.at, step.key) for step in message.steps]
        else:
            points += [AsidePoint(message.key, place.at, place.event_key) for place in message.places]
    return points


def _journeys_that_omit(customer: Customer, since: int, until: int) -> list[Journey]:
    """Return the journeys at these times that leave out steps."""
    first, end = find_sessions(customer.journeys, since, until)
    return [journey for journey in customer.journeys[first:end] if journey.omitted]
