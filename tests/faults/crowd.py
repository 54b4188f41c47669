"""One customer with very many cookies: whenever they are merged or split, more is to be restated than at one time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from pipeline.touchpoint import CUSTOMER_MERGED, CUSTOMER_SPLIT, MERGED_CUSTOMER, Touchpoint

SOURCE = "crowd"
#: More than are restated in one transaction, in each of the gate's six partitions.
COOKIES = 1_800
#: One cookie in so many has a page before somebody signs in.
_WITH_PAGE = 4
_APART_MS = 20 * 60_000


class Crowd:
    """What is told of the customer; everything happens before `end_ms` (epoch milliseconds)."""

    def __init__(self, seed: int, end_ms: int) -> None:
        self._name, self._end_ms = f"crowd-{seed}", end_ms
        self._numbers = count()

    def signs_in(self) -> Iterator[Touchpoint]:
        """They sign in on each of the cookies, one after the other; some have looked around before."""
        for number in range(COOKIES):
            at = self._end_ms - (COOKIES - number) * _APART_MS
            cookie = f"{self._name}-{number}"
            if number % _WITH_PAGE == 0:
                yield self._told(f"page-{number}", at - 60_000, "page_viewed")._replace(anonymous_id=cookie)
            signed_in = self._told(f"sign-in-{number}", at, "signed_in")
            yield signed_in._replace(customer_id=self._name, anonymous_id=cookie)

    def corrected(self) -> Touchpoint:
        """They are merged into another customer; or the last such merge is taken back, every second time."""
        number = next(self._numbers)
        merge = f"merge-{number // 2}"
        at = self._end_ms + number * 1_000
        if number % 2:
            return self._told(f"split-{number // 2}", at, CUSTOMER_SPLIT)._replace(
                channel="unknown", customer_id=f"{self._name}-all", subject=f"{self._name}-{merge}"
            )
        return self._told(merge, at, CUSTOMER_MERGED)._replace(
            channel="unknown", customer_id=f"{self._name}-all", attributes={MERGED_CUSTOMER: self._name}
        )

    def _told(self, event_id: str, at: int, kind: str) -> Touchpoint:
        return Touchpoint(f"{self._name}-{event_id}", SOURCE, at, channel="web", kind=kind)
