"""What of the ledger a slice needs so that `identities` can do its work, beside the customers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pipeline.flow.dedupe import group_by_customer
from pipeline.flow.exchange import Corrected, Message, Named, Transferred
from pipeline.flow.state import Customer, Partition
from pipeline.flow.values import AdmittedSlice
from pipeline.identity.correction_log import CorrectionLog
from pipeline.identity.segments import BEGINNING, END
from pipeline.journey.sessionize import find_sessions

#: Number of a key's touchpoints that are restated at once; a journey is restated as a whole.
MAX_RESTATED = 5_000


class AsidePoint(NamedTuple):
    """A touchpoint of a key of which all rows of `identity_touchpoint` are needed; times are epoch milliseconds."""

    key: str
    at: int
    event_key: bytes


class AsideSpan(NamedTuple):
    """A span of time (inclusive) of a key of which all such rows are needed."""

    key: str
    since: int
    until: int


class Concerned(NamedTuple):
    """What new corrections change.

    `events` (source, event_id) are void now, or no longer are; `customers` have another survivor.
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
    survivors, survivors_after = log.survivors, after.survivors
    customers = {
        customer
        for customer in {**survivors, **survivors_after}
        if survivors.get(customer) != survivors_after.get(customer)
    }
    return Concerned(sorted(events), sorted(customers))


def in_portions(partition: Partition, admitted: AdmittedSlice) -> AdmittedSlice:
    """Return a slice whose restatements end with the journey that makes them `MAX_RESTATED` touchpoints or more.

    What is left follows in another transaction, so that a key with very many touchpoints holds up nobody.
    """
    if not admitted.restatements:
        return admitted
    return admitted._replace(
        restatements=[
            each._replace(until=_portion_end(partition.customers[each.row.key], each.row.since, each.until))
            for each in admitted.restatements
        ]
    )


def _portion_end(customer: Customer, since: int, until: int) -> int:
    first, end = find_sessions(customer.journeys, since, until)
    touchpoints = 0
    for journey in customer.journeys[first:end]:
        if journey.ended_at < since:
            continue  # only its cover reaches these times
        touchpoints += journey.touchpoints
        if touchpoints >= MAX_RESTATED:
            return min(until, journey.ended_at)
    return until


def aside_to_load(partition: Partition, admitted: AdmittedSlice) -> tuple[list[AsidePoint], list[AsideSpan]]:
    """Return which rows of touchpoints that journeys don't show are needed; the customers are in memory."""
    points = [*_points(partition, admitted)]
    spans: list[AsideSpan] = []
    for point in points:
        spans += _spans_of_long_journeys(partition.customers[point.key], point.at, point.at)
    for row, until, *_ in admitted.restatements:
        customer = partition.customers[row.key]
        if row.since <= until:
            spans.append(AsideSpan(row.key, row.since, until))
            spans += _spans_of_long_journeys(customer, row.since, until)
        if row.refold:
            spans += _spans_of_long_journeys(customer, BEGINNING, END)
    return points, list(dict.fromkeys(spans))


def _points(partition: Partition, admitted: AdmittedSlice) -> Iterator[AsidePoint]:
    customers, survivors = partition.customers, partition.log.survivors
    for key, events in group_by_customer(admitted.admitted).items():
        if customers[key].is_joined or key in survivors:
            yield from [AsidePoint(key, event.step.at, event.step.key) for event in events]
    for message in admitted.messages:
        if isinstance(message, (Named, Corrected)):
            continue
        if isinstance(message, Transferred):
            yield from [AsidePoint(message.key, step.at, step.key) for step in message.steps]
        else:
            yield from [AsidePoint(message.key, place.at, place.event_key) for place in message.places]


def _spans_of_long_journeys(customer: Customer, since: int, until: int) -> list[AsideSpan]:
    """Return the spans of those journeys that leave out steps and have some at these times."""
    first, end = find_sessions(customer.journeys, since, until)
    return [
        AsideSpan(customer.key, journey.started_at, journey.ended_at)
        for journey in customer.journeys[first:end]
        if journey.omitted
    ]
