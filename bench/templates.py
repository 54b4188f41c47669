"""Ordinary touchpoints, encoded once and used many times: records without end at little cost, of any customers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

from bench.scenarios import Record, now_ms
from pipeline.contract.encode import Encoder, touchpoint_record
from pipeline.journey import policy
from pipeline.simulate.population import touchpoints
from pipeline.simulate.story import DAY
from pipeline.touchpoint import own_key

#: As long as what takes their place.
_EVENT, _PERSON = "<event id>", "<the person>"
#: Templates of a crowd, about.
_MOST = 100_000
#: Any odd number with bits all over.
_SPREAD = 2_654_435_761


class Template(NamedTuple):
    """A touchpoint's encoding in four pieces: between them go its event_id, its occurred_at and the customer.

    `at` is the simulated occurred_at in the Avro encoding, `name` the simulated customer's key, and `journey` a number
    that their touchpoints of one journey share.
    """

    pieces: tuple[bytes, bytes, bytes, bytes]
    at: bytes
    name: bytes
    journey: int

    def record(self, number: int, person: bytes, at: bytes) -> Record:
        """Key and value of event `number` (below 10^10) of a customer called `person` (12 bytes) and the name."""
        first, second, third, last = self.pieces
        return (
            b"customer:" + person + self.name,
            b"".join((first, b"%010d" % number, second, at, third, person, last)),
        )


def templates(events: int, customers: int, encoder: Encoder) -> list[Template]:
    """Return a simulated period of six weeks: so many events of so many customers.

    It ended at the last midnight (UTC), so that the same is made all day.
    """
    gap = policy.read(None).gap
    visits: dict[str, tuple[int, int]] = {}
    made = []
    for touchpoint in touchpoints(seed=1, events=events, customers=customers, end_ms=now_ms() // DAY * DAY):
        name = own_key(touchpoint) or ""
        visit, until = visits.get(name, (0, 0))
        if touchpoint.occurred_at > until:
            visit += 1
        covers = touchpoint.occurred_at + gap(touchpoint.channel, touchpoint.kind)
        visits[name] = visit, max(until, covers)
        renamed = touchpoint._replace(
            event_id=_EVENT, customer_id=f"{_PERSON}{name}", anonymous_id=None, identifiers=()
        )
        made.append(_template(encoder.encode(touchpoint_record(renamed)), touchpoint.occurred_at, name, visit))
    return made


def called(first: int, second: int) -> bytes:
    """Return a `person` by two numbers, below 10^7 and 1,000."""
    return b"%07d.%03d." % (first, second)


def moment(ms: int) -> bytes:
    """Epoch milliseconds in Avro's encoding of a long."""
    left, found = ms << 1, bytearray()
    while left > 0x7F:
        found.append(left & 0x7F | 0x80)
        left >>= 7
    found.append(left)
    return bytes(found)


@dataclass(frozen=True)
class Crowd:
    """A stream of `events` by `customers` people, in order of time.

    All crowds of as many events are the same journeys at the same times; with more customers, each of them has fewer
    of these journeys, down to one or none. So what differs between two crowds is how often somebody comes again.
    """

    events: int
    customers: int
    #: How many have all the journeys in the smallest crowd; `customers` is a multiple of it.
    least: int

    def records(self, encoder: Encoder) -> Iterator[Record]:
        """Keys and encoded values; takes memory for twice `_MOST` of them at the most."""
        copies = max(1, self.events // _MOST)
        base = templates(-(-self.events // copies), max(1, self.least // copies), encoder)
        return self._copied(base, copies)

    def _copied(self, base: Sequence[Template], copies: int) -> Iterator[Record]:
        """Yield each simulated customer lives `copies` times over, side by side, each time shared by `each` people."""
        each = max(1, self.customers // self.least)
        number = 0
        for template in base:
            for copy in range(copies):
                if number == self.events:
                    return
                share = (template.journey + copy * _SPREAD) % each
                yield template.record(number, called(copy, share), template.at)
                number += 1


def _template(value: bytes, at_ms: int, name: str, visit: int) -> Template:
    journey = crc32(f"{name} {visit}".encode())
    at = moment(at_ms)
    first, rest = value.split(_EVENT.encode(), 1)
    second, rest = rest.split(at, 1)
    third, last = rest.split(_PERSON.encode(), 1)
    return Template((first, second, third, last), at, name.encode(), journey)
