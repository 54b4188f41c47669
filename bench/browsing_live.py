"""A browsed site's touchpoints, which happen as they come, with probes among them whose way can be followed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from bench.browsing import Browsing
from bench.scenarios import Record, encoded, now_ms
from bench.templates import moment
from pipeline.contract.encode import Encoder
from pipeline.touchpoint import Touchpoint

#: One event of so many is a probe's.
_PROBE_EVERY = 10
#: Between the two touchpoints of a probe that has two.
_APART_MS = 1_000
#: As long as what takes their place.
_EVENT, _ROUND, _NUMBER = "<event id>", "<round>", "<number>"
_AT = 1_700_000_000_000


@dataclass(frozen=True)
class Probe:
    """Touchpoints of a person of whom nothing else comes; each names a customer, a cookie, or both.

    The last one's append counts, and the commit with which `owner` has all of them.
    """

    about: str
    name: str
    touchpoints: tuple[str, ...]

    @property
    def appended(self) -> bytes:
        """Return the beginning of the last one's key."""
        return self._key("cookie" if self.touchpoints[-1] == "cookie" else "customer").encode()

    @property
    def owner(self) -> str:
        """Return the beginning of the owner's key."""
        return self._key("cookie" if set(self.touchpoints) == {"cookie"} else "customer")

    def _key(self, named: str) -> str:
        return f"{'anonymous' if named == 'cookie' else 'customer'}:{self.name}-"


PROBES = (
    Probe("a customer's", "probe-a", ("customer",)),
    Probe("a cookie's that nobody claims", "probe-b", ("cookie",)),
    Probe("a claimed cookie's, transferred", "probe-c", ("both", "cookie")),
    Probe("a claim, and what it transfers", "probe-d", ("cookie", "both")),
)


class _Template(NamedTuple):
    key: bytes
    value: bytes
    at: bytes

    def record(self, place: bytes, taken_by: bytes, event: int) -> Record:
        value = self.value.replace(self.at, moment(now_ms())).replace(_EVENT.encode(), b"%010d" % event)
        return self.key.replace(place, taken_by), value.replace(place, taken_by)


class BrowsingLive:
    """The stream of `Browsing` over and over, each time of others; without end, at little cost.

    While `probing`, every tenth event is one of a probe, of each kind in turn. Of each there are as many as `probes`
    says: those whose last touchpoint has come.
    """

    def __init__(self, number: int, encoder: Encoder) -> None:
        self._templates = list(_templates(number, encoder))
        self._probes = [[_probe(probe.name, named, encoder) for named in probe.touchpoints] for probe in PROBES]
        self.probing = False
        self.probes = [0] * len(PROBES)

    def __iter__(self) -> Iterator[Record]:
        place = _ROUND.encode()
        probes = self._probe_records()
        for event in count():
            if self.probing and event % _PROBE_EVERY == 0:
                yield next(probes)(event)
                continue
            round_, at = divmod(event, len(self._templates))
            yield self._templates[at].record(place, b"%07d" % round_, event)

    def _probe_records(self) -> Iterator[_Next]:
        place = _NUMBER.encode()
        due: deque[tuple[int, int, bytes]] = deque()
        for number in count():
            while due and due[0][0] <= now_ms():
                _, kind, name = due.popleft()
                self.probes[kind] += 1
                yield _Next(self._probes[kind][1], place, name)
            kind, name = number % len(PROBES), b"%08d" % number
            first, *others = self._probes[kind]
            if others:
                due.append((now_ms() + _APART_MS, kind, name))
            else:
                self.probes[kind] += 1
            yield _Next(first, place, name)


class _Next(NamedTuple):
    """A probe's touchpoint that is to be made."""

    template: _Template
    place: bytes
    name: bytes

    def __call__(self, event: int) -> Record:
        return self.template.record(self.place, self.name, event)


def _templates(number: int, encoder: Encoder) -> Iterator[_Template]:
    for touchpoint in Browsing(number, _AT, 10**8, late=False).touchpoints():
        named = touchpoint._replace(
            event_id=_EVENT,
            customer_id=touchpoint.customer_id and _ROUND + touchpoint.customer_id,
            anonymous_id=touchpoint.anonymous_id and _ROUND + touchpoint.anonymous_id,
        )
        yield _template(named, encoder)


def _probe(name: str, named: str, encoder: Encoder) -> _Template:
    person = f"{name}-{_NUMBER}"
    return _template(
        Touchpoint(
            _EVENT, "bench", _AT, channel="web", kind="signed_in" if named == "both" else "page_viewed",
            customer_id=None if named == "cookie" else person, anonymous_id=None if named == "customer" else person,
        ),
        encoder,
    )  # fmt: skip


def _template(touchpoint: Touchpoint, encoder: Encoder) -> _Template:
    [(key, value)] = encoded(iter([touchpoint]), encoder)
    return _Template(key, value, moment(touchpoint.occurred_at))
