"""What goes with satisfaction, leaving and conversions: what Postgres counts is what a plain computation counts."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import datetime, timedelta
from math import log
from typing import Any

import pytest
from random_journeys import START, Told, drawn, told
from sqlalchemy import Engine

from pipeline.catalogue import load
from pipeline.journey import policy
from pipeline.queries.drivers import LEAVING, SATISFACTION, answered_journeys, customers_who_may_leave
from pipeline.queries.steps import Wanted, meanings
from pipeline.queries.ways import converting_ways, journeys_of_ways, stations

JOURNEYS = drawn(seed=7, journeys=400, customers=60)
MIDDLE = START + timedelta(days=9)


def is_own(step: dict[str, Any]) -> bool:
    return step.get("begun_by", load().entry(step["channel"], step["kind"]).initiated_by) == "customer"


def role(step: dict[str, Any]) -> str | None:
    return load().entry(step["channel"], step["kind"]).role if is_own(step) else None


def counted(steps: list[dict[str, Any]]) -> Counter[str]:
    own = [step for step in steps if is_own(step)]
    channels = [step["channel"] for step in own]
    return Counter(
        {
            "wait": sum(step.get("wait_ms", 0) for step in steps) / 60_000,
            "failures": sum(step["outcome"] == "failed" for step in own),
            "given up": sum(step["outcome"] == "abandoned" for step in own),
            "help contacts": sum(role(step) == "help" for step in own),
            "complaints": sum(role(step) == "complain" for step in own),
            "channel switches": sum(a != b for a, b in itertools.pairwise(channels)),
            "lateness": max([max(0, step.get("late_ms", 0)) for step in steps], default=0) / 3_600_000,
        }
    )


def logged(numbers: dict[str, float], names: Any) -> list[float]:
    return [log(1 + numbers[name]) for name in names]


def hours(earlier: datetime, later: datetime) -> float:
    return (later - earlier).total_seconds() / 3600


def test_drivers_of_satisfaction_are_those_of_the_steps_up_to_the_answer(initialised: Engine) -> None:
    expected = {}
    for journey in JOURNEYS:
        answers = [place for place, step in enumerate(journey.steps) if "score" in step]
        if answers and START <= journey.steps[0]["at"] < MIDDLE:
            steps = list(journey.steps[: answers[-1] + 1])
            own = [(step["channel"], step["kind"]) for step in steps if is_own(step)]
            numbers = dict(counted(steps))
            numbers |= {"touchpoints": len(own), "repeats": len(own) - len(set(own))}
            numbers["time since it began"] = hours(steps[0]["at"], steps[-1]["at"])
            expected[journey.journey_id] = [*logged(numbers, SATISFACTION), steps[-1]["score"]]
    with told(initialised, JOURNEYS) as connection:
        known = meanings(connection, policy.read(None))
        found = list(answered_journeys(connection, known, since=START, until=MIDDLE))
    assert len(found) > 50
    assert {case.journey_id: [*case.drivers, case.outcome] for case in found} == {
        journey: pytest.approx(numbers) for journey, numbers in expected.items()
    }


def test_drivers_of_leaving_are_those_known_before_it_is_looked_who_comes(initialised: Engine) -> None:
    until, horizon = MIDDLE + timedelta(days=4), timedelta(days=4)
    activity = policy.read(None).activity

    def is_active(step: dict[str, Any]) -> bool:
        return is_own(step) and activity.counts(role(step), step["channel"], step["kind"])

    expected = {}
    for customer in {journey.customer for journey in JOURNEYS}:
        mine = [journey for journey in JOURNEYS if journey.customer == customer]
        before = [[step for step in journey.steps if step["at"] <= MIDDLE] for journey in mine]
        before = [steps for steps in before if steps]
        numbers: Counter[str] = Counter()
        for steps in before:
            numbers += counted(steps)
        every = [step for steps in before for step in steps]
        active = [step["at"] for step in every if is_active(step)]
        if not active:
            continue
        numbers["visits"] = sum(any(is_active(step) for step in steps) for steps in before)
        numbers["silence"] = hours(max(active), MIDDLE) / 24
        numbers["time since the first visit"] = hours(min(step["at"] for step in every), MIDDLE) / 24
        numbers["answers"] = sum("score" in step for step in every)
        numbers["bad answers"] = sum(step.get("score", 100) < 50 for step in every)
        came = any(is_active(step) for journey in mine for step in journey.steps if MIDDLE < step["at"] <= until)
        expected[customer] = [*logged(numbers, LEAVING), float(not came)]
    with told(initialised, JOURNEYS) as connection:
        known = meanings(connection, policy.read(None))
        found = list(customers_who_may_leave(connection, known, until=until, horizon=horizon))
    assert {case.outcome for case in found} == {0.0, 1.0}
    assert {case.customer: [*case.drivers, case.outcome] for case in found} == {
        customer: pytest.approx(numbers) for customer, numbers in expected.items()
    }


@pytest.mark.parametrize("by", ["touchpoint", "channel"])
def test_ways_to_a_conversion_are_those_of_the_steps_before_it(initialised: Engine, by: str) -> None:
    def way(journey: Told) -> tuple[tuple[str, ...], bool]:
        goals = [
            place
            for place, step in enumerate(journey.steps)
            if step["kind"] == "purchase" and step["outcome"] not in ("failed", "abandoned")
        ]
        before = journey.names[: goals[0]] if goals else journey.names
        names = [name.split("/")[0] if by == "channel" else name for name in before]
        return tuple(name for place, name in enumerate(names) if not place or names[place - 1] != name), bool(goals)

    expected = Counter(way(journey) for journey in JOURNEYS)
    with told(initialised, JOURNEYS) as connection:
        found = list(converting_ways(connection, Wanted(None, "purchase"), by=by))
        behind = list(journeys_of_ways(connection, Wanted(None, "purchase"), by=by))
        every = stations(connection, 100, by=by)
        assert stations(connection, 1, by=by) == every[:1]
    assert {(tuple(each.stations), each.is_converted): each.journeys for each in found} == expected
    assert sorted(each[0] for each in behind) == sorted(journey.journey_id for journey in JOURNEYS)
    assert {name for each in found for name in each.stations} <= set(every)
