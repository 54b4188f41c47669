"""Touchpoints of a site that most people browse before they say who they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush, heapreplace
from random import Random
from typing import NamedTuple

from bench.topic import ACTIVE, CUSTOMERS, contact, lateness
from pipeline.touchpoint import Touchpoint

#: So that 70 % of the events are the web's: a cookie brings 10 of them on average, another visit 6.5.
_COOKIES = 0.603
#: So that 60 % of the web's events are anonymous: 6 on average, and 8 after signing in, of every second cookie.
_ANONYMOUS, _SIGNED_IN, _OTHER = 5.5, 7.5, 6.0
#: More than half, since the stream ends before some are claimed.
_CLAIMED = 0.52
#: Share, among the cookies that are there when the stream begins, of those signed in before.
_SIGNED_IN_BEFORE = 0.4
#: Share of the claimed cookies that are claimed on a later visit; how much later at most, as a share of all the time.
_LATER, _LATER_SHARE = 0.25, 0.25
_OTHER_CHANNELS = {"email": 15, "call_centre": 10, "branch": 5}


class _Visit(NamedTuple):
    """Hold who comes, and how many touchpoints are left."""

    at: int
    number: int
    customer: str | None
    cookie: str | None
    left: int
    signs_in: bool = False
    #: Nobody takes their place when they are done.
    returned: bool = False


@dataclass
class Browsing:
    """A stream of `events` over `span_ms` from `start_ms` on; what was made is counted.

    On the web a cookie browses first, and every second one is claimed: a customer signs in, in the same visit or later,
    and goes on. From then on events name customer and cookie; with `once` it is the sign-in alone that names both, and
    the events after it name the customer. Events of other channels name the customer.
    """

    events: int
    start_ms: int
    span_ms: int
    once: bool = False
    late: bool = True
    web: int = field(default=0, init=False)
    anonymous: int = field(default=0, init=False)
    #: Cookie → its anonymous events.
    by_cookie: dict[str, int] = field(default_factory=dict, init=False, repr=False)
    claimed: set[str] = field(default_factory=set, init=False, repr=False)

    def touchpoints(self) -> Iterator[Touchpoint]:
        """Yield them in order of time but for those that come late; the same each time."""
        rng = Random(11)
        self.web = self.anonymous = 0
        self.by_cookie, self.claimed = {}, set()
        begun = 0
        under_way: list[_Visit] = []
        active = max(1, min(ACTIVE, self.events // 250))
        pause_ms = max(2, 2 * self.span_ms * active // self.events)

        def begin(now: int) -> _Visit:
            nonlocal begun
            begun += 1
            at = now + rng.randrange(1, pause_ms)
            if rng.random() < _COOKIES:
                return _Visit(at, begun, None, f"{begun:07d}", _length(rng, _ANONYMOUS))
            return _Visit(at, begun, _customer(rng), None, _length(rng, _OTHER))

        for _ in range(active):
            visit = begin(self.start_ms)
            if visit.cookie is not None and rng.random() < _SIGNED_IN_BEFORE:
                visit = visit._replace(customer=_customer(rng), left=_length(rng, _SIGNED_IN), signs_in=True)
            heappush(under_way, visit)
        for _ in range(self.events):
            visit = under_way[0]
            made = self._touchpoint(rng, visit)
            at = visit.at + rng.randrange(1, pause_ms)
            if visit.left > 1:
                heapreplace(under_way, visit._replace(at=at, left=visit.left - 1, signs_in=False))
            elif visit.cookie is not None and visit.customer is None and rng.random() < _CLAIMED:
                signed_in = _Visit(
                    at, visit.number, _customer(rng), visit.cookie, _length(rng, _SIGNED_IN), signs_in=True
                )
                if rng.random() < _LATER:
                    later = int(self.span_ms * _LATER_SHARE * rng.random())
                    heapreplace(under_way, begin(visit.at))
                    heappush(under_way, signed_in._replace(at=at + later, returned=True))
                else:
                    heapreplace(under_way, signed_in)
            elif visit.returned:
                heappop(under_way)
            else:
                heapreplace(under_way, begin(visit.at))
            yield made

    def _touchpoint(self, rng: Random, visit: _Visit) -> Touchpoint:
        web = visit.cookie is not None
        channel = "web" if web else rng.choices(list(_OTHER_CHANNELS), list(_OTHER_CHANNELS.values()))[0]
        late_ms = lateness(rng) if self.late else 0
        made = contact(rng, visit.at - late_ms, visit.at, channel)
        names_cookie = web and (visit.customer is None or visit.signs_in or not self.once)
        made = made._replace(customer_id=visit.customer, anonymous_id=visit.cookie if names_cookie else None)
        if web:
            self.web += 1
            assert visit.cookie is not None
            if visit.customer is None:
                self.anonymous += 1
                self.by_cookie[visit.cookie] = self.by_cookie.get(visit.cookie, 0) + 1
            else:
                self.claimed.add(visit.cookie)
        return made._replace(kind="signed_in") if visit.signs_in else made

    @property
    def unclaimed(self) -> int:
        """Return how many events stay with a cookie, since nobody signs in on it."""
        return sum(number for cookie, number in self.by_cookie.items() if cookie not in self.claimed)


def _length(rng: Random, mean: float) -> int:
    return 1 + int(rng.expovariate(1 / mean))


def _customer(rng: Random) -> str:
    return f"c{rng.randrange(CUSTOMERS):05d}"
