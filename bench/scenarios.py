"""What a scenario puts into the topic: keys and encoded values."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import count
from random import Random

from pipeline.contract.encode import Encoder, touchpoint_record
from pipeline.contract.partition import partition_of
from pipeline.simulate.population import touchpoints
from pipeline.touchpoint import Touchpoint, own_key

PARTITIONS = 12
_SECOND, _HOUR, _YEAR = 1_000, 3_600_000, 365 * 86_400_000
#: As long as what takes their place.
_EVENT, _ROUND = "<the event's id>", "<round>"

Record = tuple[bytes, bytes]


def ordinary(events: int) -> Iterator[Touchpoint]:
    """Simulated customers, as `pipeline simulate` makes them."""
    return touchpoints(seed=1, events=events, end_ms=now_ms())


def one_customer(events: int) -> Iterator[Touchpoint]:
    """Yield all of one customer's, in journeys of ten touchpoints over thirty years."""
    begin, apart = now_ms() - 30 * _YEAR, 30 * _YEAR // (events // 10 + 1)
    for number in range(events):
        journey, step = divmod(number, 10)
        yield _page_view(number, "one", begin + journey * apart + step * _SECOND)


def one_customer_late(events: int) -> Iterator[Touchpoint]:
    """Yield the same, and one in a thousand comes at the very end, in a shuffled order."""
    late = []
    for number, touchpoint in enumerate(one_customer(events)):
        if number % 1_000 == 0:
            late.append(touchpoint)
        else:
            yield touchpoint
    Random(1).shuffle(late)
    yield from late


def one_journey(events: int) -> Iterator[Touchpoint]:
    """Yield all in one journey: a robot that views a page every second."""
    begin = now_ms() - events * _SECOND
    for number in range(events):
        yield _page_view(number, "one", begin + number * _SECOND)


def one_event_each(events: int) -> Iterator[Touchpoint]:
    """As many customers as touchpoints."""
    begin = now_ms() - 30 * 24 * _HOUR
    for number in range(events):
        yield _page_view(number, f"c-{number}", begin + number)


def one_partition(events: int) -> Iterator[Touchpoint]:
    """Yield the ordinary ones, with customers' numbers that all fall on partition 0."""
    numbers = (n for n in count() if partition_of(f"customer:p-{n}".encode(), PARTITIONS) == 0)
    renamed: dict[str, str] = {}
    for touchpoint in ordinary(events):
        key = own_key(touchpoint) or ""
        if key not in renamed:
            renamed[key] = f"p-{next(numbers)}"
        yield touchpoint._replace(customer_id=renamed[key], anonymous_id=None, identifiers=())


def encoded(made: Iterator[Touchpoint], encoder: Encoder) -> Iterator[Record]:
    """Keys and values as the publisher makes them."""
    for touchpoint in made:
        yield (own_key(touchpoint) or "").encode(), encoder.encode(touchpoint_record(touchpoint))


def endless(templates: int, encoder: Encoder) -> Iterator[Record]:
    """Yield the ordinary ones over and over, each time of other customers: records without end at little cost."""
    made = (
        t._replace(event_id=_EVENT, customer_id=f"{_ROUND}{own_key(t)}", anonymous_id=None, identifiers=())
        for t in ordinary(templates)
    )
    split = list(encoded(made, encoder))
    event, place = _EVENT.encode(), _ROUND.encode()
    for number in count():
        round_ = b"%0*d" % (len(place), number)
        for at, (key, value) in enumerate(split):
            id_ = b"%0*d" % (len(event), number * templates + at)
            yield key.replace(place, round_), value.replace(place, round_).replace(event, id_)


def _page_view(number: int, customer: str, at: int) -> Touchpoint:
    return Touchpoint(f"e-{number}", "bench", at, channel="web", kind="page_viewed", customer_id=customer)


def now_ms() -> int:
    """Return the clock, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


SCENARIOS: dict[str, Callable[[int], Iterator[Touchpoint]]] = {
    "ordinary": ordinary,
    "one-customer": one_customer,
    "one-customer-late": one_customer_late,
    "one-journey": one_journey,
    "one-event-each": one_event_each,
    "one-partition": one_partition,
}
