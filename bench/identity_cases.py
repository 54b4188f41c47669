"""Cases in which one key, or one customer, has very much: what is sent, and whose it is in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.scenarios import now_ms
from pipeline.touchpoint import CUSTOMER_MERGED, MERGED_CUSTOMER, Touchpoint

_S, _MINUTE, _HOUR, _DAY = 1_000, 60_000, 3_600_000, 86_400_000
#: As usual, but for short journeys, of which many fit into the time in which owners change.
_SHORT = 'gap = "30s"\ngrace = "20m"\n'
_USUAL = 'gap = "30m"\ngrace = "20m"\n'


@dataclass(frozen=True)
class Case:
    """`before` is there when `change` comes: at once, or so many events a second (`rate`).

    In the end keys have as many touchpoints as `owners` says; partitions of these keys are the busy ones. `events` is
    the number of touchpoints of both, corrections not counted.
    """

    about: str
    before: Iterator[Touchpoint]
    change: Iterator[Touchpoint]
    owners: Mapping[str, int]
    events: int
    policy: str = _USUAL
    rate: float | None = None


def shared_key(size: float) -> Case:
    """One cookie that 100,000 customers sign in on, one after the other, and that is used in between."""
    customers = max(2_000, round(100_000 * size))
    own = max(10, customers // 100)
    begin, apart = now_ms() - 21 * _DAY, 20 * _DAY // customers

    def change() -> Iterator[Touchpoint]:
        for number in range(customers):
            at = begin + number * apart
            yield _sign_in(f"in-{number}", at, f"sharer-{number:06d}", "shared")
            if number % 100 == 50 and number // 100 < own:
                yield _page(f"own-{number}", at + 1, anonymous_id="shared")

    return Case(
        f"one key named with {customers:,} customers, {own:,} touchpoints of its own", iter(()), change(),
        {"anonymous:shared": own}, customers + own, rate=5_000,
    )  # fmt: skip


def long_cookie(size: float) -> Case:
    """One cookie with 1,000,000 touchpoints of 25 days, in journeys of 50, which a customer claims."""
    journeys = max(2, round(20_000 * size))
    begin, apart = now_ms() - 26 * _DAY, 25 * _DAY // journeys

    def before() -> Iterator[Touchpoint]:
        for number in range(journeys * 50):
            journey, step = divmod(number, 50)
            yield _page(f"page-{number}", begin + journey * apart + step * _S, anonymous_id="long")

    change = _sign_in("in", begin + 25 * _DAY + _HOUR, "claimer", "long")
    return Case(
        f"a cookie with {journeys * 50:,} touchpoints in {journeys:,} journeys is claimed", before(), iter([change]),
        {"customer:claimer": journeys * 50 + 1, "anonymous:long": 0}, journeys * 50 + 1, _SHORT,
    )  # fmt: skip


def long_journey(size: float) -> Case:
    """One cookie with 1,000,000 touchpoints in a single journey, one each second: a robot, which a customer claims."""
    pages = max(1_000, round(1_000_000 * size))
    begin = now_ms() - _HOUR - pages * _S

    def before() -> Iterator[Touchpoint]:
        for number in range(pages):
            yield _page(f"page-{number}", begin + number * _S, anonymous_id="robot")

    change = _sign_in("in", begin + pages * _S, "claimer", "robot")
    return Case(
        f"a cookie with a journey of {pages:,} touchpoints is claimed", before(), iter([change]),
        {"customer:claimer": pages + 1, "anonymous:robot": 0}, pages + 1,
    )  # fmt: skip


def many_keys(size: float) -> Case:
    """10,000 cookies with five touchpoints each, on all of which one customer signs in; 20 cookies in a visit."""
    cookies = max(10, round(10_000 * size))
    begin, apart = now_ms() - 28 * _DAY, 27 * _DAY // (cookies // 20 + 1)

    def at(number: int) -> int:
        visit, step = divmod(number, 20)
        return begin + visit * apart + step * 20 * _S

    def before() -> Iterator[Touchpoint]:
        for number in range(cookies):
            for step in range(5):
                yield _page(f"page-{number}-{step}", at(number) + step * _S, anonymous_id=f"of-many-{number:05d}")

    def change() -> Iterator[Touchpoint]:
        for number in range(cookies):
            yield _sign_in(f"in-{number}", at(number) + 10 * _S, "collector", f"of-many-{number:05d}")

    return Case(
        f"a customer claims {cookies:,} cookies with five touchpoints each", before(), change(),
        {"customer:collector": cookies * 6}, cookies * 6,
    )  # fmt: skip


def merge(size: float) -> Case:
    """Two customers with 100,000 journeys each, of two touchpoints, in 390 days; each tenth joins the other's."""
    journeys = max(10, round(100_000 * size))
    begin, apart = now_ms() - 391 * _DAY, 390 * _DAY // journeys

    def before() -> Iterator[Touchpoint]:
        for number in range(journeys):
            at = begin + number * apart
            later = 20 * _S if number % 10 == 0 else apart // 2
            for step in range(2):
                yield _page(f"stays-{number}-{step}", at + step * 10 * _S, customer_id="stays")
                yield _page(f"goes-{number}-{step}", at + later + step * 10 * _S, customer_id="goes")

    change = Touchpoint(
        "merge", "bench", now_ms() - _HOUR, kind=CUSTOMER_MERGED, customer_id="stays",
        attributes={MERGED_CUSTOMER: "goes"},
    )  # fmt: skip
    return Case(
        f"two customers with {journeys:,} journeys each are merged", before(), iter([change]),
        {"customer:stays": journeys * 4, "customer:goes": 0}, journeys * 4, _SHORT,
    )  # fmt: skip


CASES: dict[str, Callable[[float], Case]] = {
    "shared-key": shared_key,
    "long-cookie": long_cookie,
    "long-journey": long_journey,
    "many-keys": many_keys,
    "merge": merge,
}


def _page(event_id: str, at: int, **names: Any) -> Touchpoint:
    return Touchpoint(event_id, "bench", at, channel="web", kind="page_viewed", **names)


def _sign_in(event_id: str, at: int, customer: str, cookie: str) -> Touchpoint:
    return Touchpoint(event_id, "bench", at, channel="web", kind="signed_in", customer_id=customer, anonymous_id=cookie)
