from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from pipeline import catalogue
from pipeline.contract.validate import check
from pipeline.journey.policy import read
from pipeline.scales import millipoints
from pipeline.simulate.population import touchpoints
from pipeline.simulate.story import DAY
from pipeline.touchpoint import Touchpoint, own_key

END_MS = 1_780_000_000_000


@pytest.fixture(scope="module")
def weeks() -> list[Touchpoint]:
    return list(touchpoints(seed=1, events=20_000, end_ms=END_MS))


@pytest.mark.parametrize(
    "arguments",
    [
        {"events": 0},
        {"events": 1, "customers": 1, "days": 1},
        {"events": 3_000, "customers": 1, "days": 1},
        {"events": 50, "customers": 2_000, "days": 0.001},
        {"events": 5_000, "customers": 100, "days": 400},
    ],
)
def test_there_are_exactly_as_many_touchpoints_as_asked_for_within_the_days(arguments: dict[str, int]) -> None:
    found = list(touchpoints(seed=3, end_ms=END_MS, **arguments))
    assert len(found) == arguments["events"]
    start_ms = END_MS - arguments.get("days", 42) * DAY
    assert all(start_ms <= touchpoint.occurred_at <= END_MS for touchpoint in found)


def test_the_same_arguments_make_the_same_touchpoints() -> None:
    first, second = (list(touchpoints(seed=5, events=2_000, end_ms=END_MS)) for _ in range(2))
    assert first == second


def test_another_seed_or_end_shares_no_event_id() -> None:
    ids = [
        {t.event_id for t in touchpoints(seed=seed, events=500, end_ms=end_ms)}
        for seed, end_ms in ((1, END_MS), (2, END_MS), (1, END_MS - 1))
    ]
    assert len(set.union(*ids)) == 1_500


def test_every_touchpoint_is_valid_catalogued_and_has_an_id_of_its_own(weeks: list[Touchpoint]) -> None:
    assert [check(t, END_MS) for t in weeks if check(t, END_MS)] == []
    assert {t.kind for t in weeks} - set(catalogue.load().kinds) == set()
    assert len({(t.source, t.event_id) for t in weeks}) == len(weeks)


def test_they_come_in_order_of_time_but_for_the_last_minutes(weeks: list[Touchpoint]) -> None:
    early = [t.occurred_at for t in weeks if t.occurred_at < END_MS - DAY]
    assert all(earlier <= later for earlier, later in pairwise(early))


def test_all_four_channels_are_there(weeks: list[Touchpoint]) -> None:
    shares = Counter(t.channel for t in weeks)
    assert set(shares) == {"web", "email", "call_centre", "branch"}
    assert min(shares.values()) > len(weeks) / 50


def test_some_journeys_cross_channels(weeks: list[Touchpoint]) -> None:
    policy = read(None)
    by_customer = defaultdict(list)
    for touchpoint in weeks:
        by_customer[own_key(touchpoint)].append(touchpoint)
    crossing = journeys = 0
    for steps in by_customer.values():
        steps.sort(key=lambda t: t.occurred_at)
        channels: set[str] = set()
        until = 0
        for step in steps:
            if step.occurred_at > until:
                journeys, channels = journeys + 1, set()
            if len(channels | {step.channel}) == 2 and step.channel not in channels:
                crossing += 1
            channels.add(step.channel)
            until = max(until, step.occurred_at + policy.gap(step.channel, step.kind))
    assert 0.1 < crossing / journeys < 0.9


def test_failing_and_waiting_hurts_more_than_being_served(weeks: list[Touchpoint]) -> None:
    answers: dict[str, list[int]] = defaultdict(list)
    for t in weeks:
        if t.feedback is not None:
            answers[t.attributes["about"]].append(millipoints(t.feedback.instrument, t.feedback.score))
    means = {about: sum(scores) / len(scores) for about, scores in answers.items()}
    assert means["web/checkout_failed"] < 40_000 < 65_000 < means["web/purchase"]
    assert means["web/checkout_failed"] < means["call_centre/call_ended"] < means["web/purchase"]


def test_only_some_answer_a_survey(weeks: list[Touchpoint]) -> None:
    kinds = Counter(t.kind for t in weeks)
    asked = kinds["survey_sent"]
    answered = sum(t.kind == "survey_answered" and t.channel != "branch" for t in weeks)
    assert 0.1 < answered / asked < 0.6


def test_some_close_their_account_and_more_fall_silent(weeks: list[Touchpoint]) -> None:
    last = {own_key(t): t.occurred_at for t in weeks}
    silent = sum(END_MS - at > 14 * DAY for at in last.values())
    closed = sum(t.kind == "account_closed" for t in weeks)
    assert 0 < closed < silent < len(last) / 2


def test_some_visitors_stay_unknown(weeks: list[Touchpoint]) -> None:
    kinds = Counter(str(own_key(t)).split(":")[0] for t in weeks)
    assert set(kinds) == {"customer", "anonymous", "email"}
    assert kinds["customer"] > len(weeks) / 2
