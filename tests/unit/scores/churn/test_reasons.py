"""What a churn probability rests on, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from known_beyond import anything_beyond, beyond

from pipeline.scores.churn.covariates import NOTHING, Covariates
from pipeline.scores.churn.model import DAY_MS, DEFAULT, Activity, ChurnModel, probability
from pipeline.scores.churn.reasons import BEYOND, RULES, Parts, explained, reasons, take_apart

NOW = 1_790_000_000_000


def customer(visits: int, days_known: float, days_silent: float, closed_days_ago: int | None = None) -> Activity:
    return Activity(
        visits,
        NOW - round(days_known * DAY_MS),
        NOW - round(days_silent * DAY_MS),
        None if closed_days_ago is None else NOW - closed_days_ago * DAY_MS,
    )


@pytest.mark.parametrize(
    ("activity", "expected"),
    [
        (
            customer(12, 90, 2),
            [("active_recently", "active 2 days ago; comes every 8 days on average (lowers the risk)")],
        ),
        (
            customer(12, 90, 24),
            [
                ("returned", "has come back 11 times before (lowers the risk)"),
                ("silence", "silent for 24 days; comes every 6 days on average"),
            ],
        ),
        (customer(12, 150, 84), [("silence", "silent for 84 days; comes every 6 days on average")]),
        (
            customer(90, 20, 0.1),
            [("active_recently", "active less than a day ago; comes several times a day (lowers the risk)")],
        ),
        (
            customer(2, 130, 70),
            [
                ("infrequent", "comes only every 60 days on average"),
                ("returned", "has come back once before (lowers the risk)"),
                ("few_visits", "only 2 visits so far"),
                ("silence", "silent for 70 days; comes every 60 days on average"),
            ],
        ),
        (
            customer(1, 3, 3),
            [
                ("few_visits", "only one visit so far"),
                ("new_customer", "first visit 3 days ago (lowers the risk)"),
            ],
        ),
        (
            customer(1, 400, 400),
            [
                ("few_visits", "only one visit so far"),
                ("silence", "no second visit for 400 days"),
            ],
        ),
        (customer(5, 40, 1, closed_days_ago=1), [("account_closed", "account closed on 2026-09-20 (UTC)")]),
        (
            customer(12, 90, 2, closed_days_ago=30),
            [("active_recently", "active 2 days ago; comes every 8 days on average (lowers the risk)")],
        ),
    ],
    ids=[
        "a regular, lately here",
        "a regular, missed for a while",
        "a regular, long gone",
        "several times a day",
        "seen twice, slow",
        "new",
        "seen once, long ago",
        "account closed",
        "account closed, but came back",
    ],
)
def test_reasons_say_what_the_probability_rests_on(activity: Activity, expected: list[tuple[str, str]]) -> None:
    assert [tuple(reason) for reason in reasons(activity, NOW, DEFAULT)] == expected


anybody = st.builds(
    lambda visits, span, silence, beyond: Activity(visits, NOW - silence - span, NOW - silence, None, beyond),
    st.one_of(st.integers(1, 30), st.integers(1, 2**31 - 1)),
    st.integers(0, 10**12),
    st.integers(-(10**11), 10**12),
    anything_beyond,
)
coefficients = st.floats(-5, 5)
any_model = st.builds(
    ChurnModel,
    version=st.just("t"),
    source=st.just("a test"),
    r=st.floats(1e-3, 1e3),
    alpha_days=st.floats(1e-3, 1e5),
    a=st.floats(1e-3, 1e3),
    b=st.floats(1e-3, 1e3),
    covariates=st.just(NOTHING)
    | st.builds(lambda *values: Covariates(*values), *[coefficients] * 2)
    | st.builds(lambda *values: Covariates(*values), *[coefficients] * len(NOTHING)),
    horizon_days=st.integers(1, 3650),
)


@given(anybody, any_model)
def test_there_is_always_a_reason(activity: Activity, model: ChurnModel) -> None:
    said = reasons(activity, NOW, model)
    assert 1 <= len(said) <= 4 + len(BEYOND)
    assert len({reason.code for reason in said}) == len(said)


@given(anybody, any_model)
def test_the_parts_add_up_to_the_probability(activity: Activity, model: ChurnModel) -> None:
    parts = take_apart(activity, NOW, model)
    risk = probability(activity, NOW, model)
    assert all(-1e-12 <= part <= 1 + 1e-12 for part in parts[:6])
    assert parts.silence + parts.few_visits + parts.infrequent + parts.learned == pytest.approx(risk, abs=1e-9)
    assert parts.stays + parts.learned_stays == pytest.approx(1 - risk, abs=1e-9)
    assert explained(activity, NOW, model)[0] == pytest.approx(risk, abs=1e-12)
    if parts.learned_logits and abs(sum(parts.learned_logits)) > 1e-6:
        assert sum(parts.learned_parts) == pytest.approx(parts.learned - parts.learned_stays, abs=1e-9)


def test_what_is_learned_beyond_visits_is_said_whether_it_raises_the_risk_or_lowers_it() -> None:
    gloomy, cheerful = (replace(DEFAULT, covariates=Covariates(intercept=shift)) for shift in (2.0, -2.0))
    regular = customer(10, 60, 20)
    assert probability(regular, NOW, gloomy) > probability(regular, NOW, DEFAULT) > probability(regular, NOW, cheerful)
    assert "customers like this leave more often than their visits say" in said(regular, gloomy)
    assert "customers like this come back more often than their visits say (lowers the risk)" in said(
        customer(10, 60, 45), cheerful
    )


def said(activity: Activity, model: ChurnModel) -> list[str]:
    return [reason.text for reason in reasons(activity, NOW, model)]


@given(anybody, any_model)
def test_reasons_come_weightiest_first(activity: Activity, model: ChurnModel) -> None:
    parts = take_apart(activity, NOW, model)
    part_of = {rule.code: rule.part for rule in RULES}
    part_of["learned"] = Parts._fields.index("learned" if parts.learned else "learned_stays")
    weight_of = {code: parts[part] for code, part in part_of.items()}
    if parts.learned_logits:
        weight_of |= dict(zip(("learned", *BEYOND), map(abs, parts.learned_parts), strict=True))
    weights = [weight_of[reason.code] for reason in reasons(activity, NOW, model)]
    assert weights == sorted(weights, reverse=True)


def test_rules_name_parts_that_are_weights() -> None:
    assert {Parts._fields[rule.part] for rule in RULES} == set(Parts._fields[:6])


def test_a_model_by_which_many_always_leave_does_not_call_many_visits_few() -> None:
    model = replace(DEFAULT, a=100.0, b=300.0)
    texts = {reason.code: reason.text for reason in reasons(customer(40, 90, 1), NOW, model)}
    assert texts["few_visits"] == "40 visits so far, after each of which some leave"


def test_what_happened_beyond_visits_is_said_with_numbers_and_the_weightiest_first() -> None:
    regular = customer(10, 60, 20)
    covariates = Covariates(help=0.5, complaints=1.5, failures=0.5, bad_answers=0.5, satisfaction=-2.0)
    model = replace(DEFAULT, covariates=covariates)
    upset = regular._replace(beyond=beyond(contacts=1, complaints=2, answers=(0,), failures=3))
    assert [(reason.code, reason.text) for reason in reasons(upset, NOW, model)][:3] == [
        ("silence", "silent for 20 days; comes every 4 days on average"),
        ("complaints", "2.0 complaints lately"),
        ("satisfaction", "satisfaction of 25 of 100 by answers lately"),
    ]
    pleased = customer(10, 60, 25)._replace(beyond=beyond(answers=(100_000, 100_000)))
    assert "satisfaction of 83 of 100 by answers lately (lowers the risk)" in said(pleased, model)
    assert probability(upset, NOW, model) > probability(regular, NOW, model)


def test_use_and_money_are_said_too() -> None:
    falling = customer(10, 300, 20)._replace(beyond=beyond(activities=30, purchases=2, spent=10_000, days_ago=20))
    for covariates, text in (
        (Covariates(falling_use=2.0), "30.0 activities lately, 4.6 if as many as ever (lowers the risk)"),
        (Covariates(money=-0.3), "pays 5,000 of the smallest unit of EUR at a time (lowers the risk)"),
    ):
        model = replace(DEFAULT, covariates=covariates)
        assert text in said(falling, model)


def test_what_adds_and_takes_as_much_stays_in_proportion() -> None:
    model = replace(DEFAULT, covariates=Covariates(help=1.0, complaints=-1.0))
    parts = take_apart(customer(10, 60, 20)._replace(beyond=beyond(contacts=3, complaints=3)), NOW, model)
    _, helped, complained, *_ = parts.learned_parts
    assert helped == pytest.approx(-complained)
    assert helped > 0.1
