"""Many people, each with a cookie and a customer's number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.scenarios import Record, encoded, now_ms
from bench.templates import moment
from pipeline.contract.encode import Encoder
from pipeline.touchpoint import Touchpoint

#: As long as what takes its place.
_PERSON, _EVENT = "<person's #>", "<event's #>"
_AT = 1_700_000_000_000
_MINUTE_MS = 60_000


@dataclass(frozen=True)
class Claimed:
    """A stream in which `people` come, an event a millisecond: each views a page, signs in, and views another page.

    The pages name the cookie alone, and the sign-in cookie and customer. Between two of a person's touchpoints there
    are others' for about a minute of event time, or less where there are few people.
    """

    people: int

    @property
    def events(self) -> int:
        """Return how many events there are."""
        return 3 * self.people

    def records(self, encoder: Encoder) -> Iterator[Record]:
        """Keys and encoded values, in order of time; the last one is about an hour old."""
        page, sign_in = (_template(kind, encoder) for kind in ("page_viewed", "signed_in"))
        apart = max(1, min(_MINUTE_MS // 3, self.people // 10))
        at, number = now_ms() - 3_600_000 - self.events, 0
        for step in range(self.people + 2 * apart):
            for person, (key, value) in ((step, page), (step - apart, sign_in), (step - 2 * apart, page)):
                if 0 <= person < self.people:
                    name = b"%0*d" % (len(_PERSON), person)
                    filled = value.replace(_PERSON.encode(), name).replace(moment(_AT), moment(at + number))
                    yield (
                        key.replace(_PERSON.encode(), name),
                        filled.replace(_EVENT.encode(), b"%0*d" % (len(_EVENT), number)),
                    )
                    number += 1


def _template(kind: str, encoder: Encoder) -> Record:
    customer = f"customer-{_PERSON}" if kind == "signed_in" else None
    touchpoint = Touchpoint(
        _EVENT, "bench", _AT, channel="web", kind=kind, customer_id=customer, anonymous_id=f"cookie-{_PERSON}"
    )
    [record] = encoded(iter([touchpoint]), encoder)
    return record
