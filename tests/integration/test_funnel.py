"""Funnels count whom a search through all attempts finds, and say where the others went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median_low
from typing import Any, NamedTuple

import pytest
from random_journeys import START, Told, drawn, step, told
from sqlalchemy import Engine
from test_drivers import is_own

from pipeline.journey import policy
from pipeline.queries.funnel import Funnel
from pipeline.queries.steps import Wanted, meanings

JOURNEYS = drawn(seed=11, journeys=500, customers=70)
WITHIN = timedelta(days=2)


class Happened(NamedTuple):
    at: datetime
    name: str
    first_channel: str
    is_own: bool
    journey: str


def matches(name: str, wanted: str) -> bool:
    return wanted in (name, name.split("/")[1])


def history(customer: str, journeys: Sequence[Told]) -> list[Happened]:
    return [
        Happened(each["at"], f"{each['channel']}/{each['kind']}", journey.steps[0]["channel"], is_own(each), journey[0])
        for journey in sorted(
            [each for each in journeys if each.customer == customer], key=lambda each: each.steps[0]["at"]
        )
        for each in journey.steps
    ]


def furthest(told_of: Sequence[Happened], steps: Sequence[str], entry: int, within: timedelta = WITHIN) -> list[int]:
    """Goes through all attempts that begin with an entry, and returns the places of one that comes furthest."""
    level: dict[int, list[int]] = {entry: [entry]}
    best = [entry]
    for wanted in steps[1:]:
        following: dict[int, list[int]] = {}
        for place, attempt in level.items():
            for later in range(place + 1, len(told_of)):
                is_in_time = told_of[later].at <= told_of[entry].at + within
                if is_in_time and matches(told_of[later].name, wanted) and later not in following:
                    following[later] = [*attempt, later]
        if not following:
            break
        level, best = following, following[min(following)]
    return best


def expected(steps: Sequence[str], since: datetime | None, until: datetime | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for customer in {journey.customer for journey in JOURNEYS}:
        happened = history(customer, JOURNEYS)
        entries = [
            place
            for place, each in enumerate(happened)
            if matches(each.name, steps[0])
            and (since is None or each.at >= since)
            and (until is None or each.at < until)
        ]
        attempts = [furthest(happened, steps, entry) for entry in entries]
        if not attempts:
            continue
        best = max(attempts, key=len)
        went = [
            each.name
            for each in happened[best[-1] + 1 :]
            if each.at <= happened[best[0]].at + WITHIN and each.is_own and not matches(each.name, steps[len(best) - 1])
        ]
        found[customer] = (happened, best, went[0] if went else None, happened[entries[-1]].at)
    return found


@pytest.mark.parametrize(
    ("steps", "since", "until"),
    [
        (("page_viewed", "checkout_started", "purchase"), None, None),
        (("web/page_viewed", "web/page_viewed", "web/page_viewed", "call_centre/call_queued"), None, None),
        (("purchase", "page_viewed"), START + timedelta(days=3), START + timedelta(days=8)),
    ],
)
def test_whoever_can_come_to_a_step_in_time_is_counted_there(
    initialised: Engine, steps: tuple[str, ...], since: datetime | None, until: datetime | None
) -> None:
    now = START + timedelta(days=12)
    plain = expected(steps, since, until)
    wanted = [Wanted(*name.split("/")) if "/" in name else Wanted(None, name) for name in steps]
    with told(initialised, JOURNEYS) as connection:
        known = meanings(connection, policy.read(None))
        funnel = Funnel(connection, wanted, known, now, within=WITHIN, since=since, until=until)
        reached, by_channel, went = funnel.reached("all"), funnel.reached("channel"), funnel.went("all")
        behind = {number: list(funnel.attempts(number)) for number in range(1, len(steps) + 1)}

    assert len(plain) > 30
    for number in range(1, len(steps) + 1):
        came = {customer: each for customer, each in plain.items() if len(each[1]) >= number}
        [count] = [each for each in reached if each.step == number] or [None]
        assert (count.customers if count else 0) == len(came) == len(behind[number])
        if number > 1 and came:
            times = [
                round((h[b[number - 1]].at - h[b[number - 2]].at).total_seconds() * 1000) for h, b, *_ in came.values()
            ]
            assert count is not None and count.median_ms == median_low(times)
        groups = Counter(happened[best[0]].first_channel for happened, best, *_ in came.values())
        assert {each.group: each.customers for each in by_channel if each.step == number} == groups
        stopped = [each for each in came.values() if len(each[1]) == number < len(steps)]
        assert Counter(went_to for *_, went_to, _ in stopped) == {
            each.touchpoint: each.customers for each in went if each.step == number
        }
        if count is not None:
            assert count.may_go_on == sum(latest + WITHIN > now for *_, latest in stopped)
    for attempt in behind[1]:
        happened, best, went_to, _ = plain[attempt.customer]
        assert attempt.reached == len(best)
        assert (attempt.at, attempt.journey_id) == (happened[best[-1]].at, happened[best[-1]].journey)
        assert attempt.went == (None if len(best) == len(steps) else went_to)


def test_the_time_is_inclusive_and_steps_of_a_moment_go_by_their_place(initialised: Engine) -> None:
    """The last customer buys at the very end of the time, one a millisecond later, one in the wrong order."""

    def journey(number: int, *steps: dict[str, Any]) -> Told:
        return Told(f"f0000000-0000-0000-0000-00000000000{number}", f"customer:{number}", steps)

    hour = timedelta(hours=1)
    journeys = [
        journey(2, step(START, "web/page_viewed"), step(START + hour, "web/purchase")),
        journey(3, step(START, "web/page_viewed"), step(START + hour + timedelta(milliseconds=1), "web/purchase")),
        journey(4, step(START, "web/purchase", sequence=1), step(START, "web/page_viewed", sequence=2)),
        journey(5, step(START, "web/page_viewed", sequence=1), step(START, "web/purchase", sequence=2)),
    ]
    with told(initialised, journeys) as connection:
        steps = [Wanted("web", "page_viewed"), Wanted(None, "purchase")]
        known = meanings(connection, policy.read(None))
        found = list(Funnel(connection, steps, known, START, within=hour).attempts(2))
    assert sorted(each.customer for each in found) == ["customer:2", "customer:5"]
