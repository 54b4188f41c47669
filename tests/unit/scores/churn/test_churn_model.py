"""The chance that a customer does not come again."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from math import exp, isclose

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.fitting.counting import Counting, log_likelihood
from pipeline.fitting.histories import Histories
from pipeline.scores.churn.covariates import Covariates
from pipeline.scores.churn.model import DAY_MS, DEFAULT, Activity, ChurnModel, band, p_active, p_alive, probability

START = 1_700_000_000_000
YEAR = 365 * DAY_MS
WEEK = 7 * DAY_MS

models = st.builds(
    ChurnModel,
    version=st.just("t"),
    source=st.just("a test"),
    r=st.floats(1e-3, 1e3),
    alpha_days=st.floats(1e-3, 1e5),
    a=st.floats(1e-3, 1e3),
    b=st.floats(1e-3, 1e3),
    leaves_after_first=st.booleans(),
    horizon_days=st.integers(1, 3650),
)
with_covariates = st.builds(
    lambda model, intercept, silence: replace(model, covariates=Covariates(intercept, silence)),
    models, st.floats(-10, 10), st.floats(-10, 10),
)  # fmt: skip
activities = st.builds(
    lambda visits, span: Activity(visits, START, START + span),
    st.one_of(st.integers(1, 50), st.integers(1, 2**31 - 1)),
    st.integers(0, 40 * YEAR),
)
silences = st.integers(0, 100 * YEAR)


def history(x: int, t_x: float, age: float) -> Histories:
    return Histories(np.array([float(x)]), np.array([float(t_x)]), np.array([float(age)]))


def weekly(visits: int, last_week: int) -> Activity:
    return Activity(visits, START, START + last_week * WEEK)


@given(activities, silences, models | with_covariates)
def test_probabilities_lie_between_0_and_1_however_extreme(activity: Activity, silence: int, model: ChurnModel) -> None:
    as_of = activity.last_at + silence
    for value in (
        p_alive(activity, as_of, model),
        p_active(activity, as_of, model),
        probability(activity, as_of, model),
    ):
        assert 0 <= value <= 1


@given(activities, silences, silences, models)
def test_silence_never_lowers_the_risk(activity: Activity, first: int, more: int, model: ChurnModel) -> None:
    sooner = probability(activity, activity.last_at + first, model)
    later = probability(activity, activity.last_at + first + more, model)
    assert later >= sooner - 1e-12


@given(activities, silences, models)
def test_a_longer_horizon_never_raises_the_risk(activity: Activity, silence: int, model: ChurnModel) -> None:
    as_of = activity.last_at + silence
    longer = replace(model, horizon_days=model.horizon_days * 2)
    assert probability(activity, as_of, longer) <= probability(activity, as_of, model) + 1e-12


@given(activities, st.integers(1, 50 * YEAR), models)
def test_a_moment_before_the_last_activity_is_taken_for_that_activitys(
    activity: Activity, before: int, model: ChurnModel
) -> None:
    assert probability(activity, activity.last_at - before, model) == probability(activity, activity.last_at, model)


@given(st.integers(1, 60), st.integers(0, 2000), st.integers(0, 2000), st.integers(1, 365), st.booleans())
def test_the_risk_is_the_likelihood_of_the_same_history_over_the_horizon_too(
    visits: int, span: int, silence: int, horizon: int, leaves_after_first: bool
) -> None:
    model = replace(DEFAULT, horizon_days=horizon, leaves_after_first=leaves_after_first)
    counting = Counting(model.r, model.alpha_days, model.a, model.b, leaves_after_first)
    span = span if visits > 1 else 0
    activity = Activity(visits, START, START + span * DAY_MS)
    now, then = (log_likelihood(history(visits - 1, span, span + silence + more), counting) for more in (0, horizon))
    risk = probability(activity, START + (span + silence) * DAY_MS, model)
    assert isclose(risk, exp(then - now), rel_tol=1e-9, abs_tol=1e-12)


def test_of_simulated_customers_as_many_stay_away_as_foretold() -> None:
    """The model's own story, played out: no formula of the model is in it but the story."""
    random.seed(20050)
    model, watched, customers = DEFAULT, 200.0, 20_000
    foretold, stayed_away, variance = 0.0, 0, 0.0
    for _ in range(customers):
        rate = random.gammavariate(model.r, 1 / model.alpha_days)
        leaves = random.betavariate(model.a, model.b)
        visits, last, next_visit = 1, 0.0, random.expovariate(rate) if rate > 1e-12 else 1e12
        while next_visit <= watched:
            visits, last = visits + 1, next_visit
            next_visit = next_visit + random.expovariate(rate) if random.random() >= leaves else 1e12
        risk = probability(Activity(visits, 0, round(last * DAY_MS)), round(watched * DAY_MS), model)
        foretold += risk
        variance += risk * (1 - risk)
        stayed_away += next_visit > watched + model.horizon_days
    assert abs(stayed_away - foretold) < 4 * variance**0.5


def test_a_customer_seen_once_has_not_left_but_may_be_slow() -> None:
    activity = weekly(1, 0)
    assert p_alive(activity, START + 10 * YEAR, DEFAULT) == 1.0
    assert probability(activity, START, DEFAULT) == pytest.approx((30.898 / 120.898) ** 0.243)


@pytest.mark.parametrize(
    ("closed_at", "is_certain"),
    [(None, False), (START + WEEK - 1, False), (START + WEEK, True), (START + WEEK + 1, True)],
    ids=["never", "and came back since", "as the last thing", "after the last activity"],
)
def test_a_closed_account_is_certain_churn_unless_they_came_back(closed_at: int | None, is_certain: bool) -> None:
    activity = weekly(5, 1)._replace(closed_at=closed_at)
    for as_of in (START, START + WEEK, START + 2 * WEEK):
        assert (probability(activity, as_of, DEFAULT) == 1.0) is is_certain


@pytest.mark.parametrize(
    ("probability", "expected"),
    [
        (0.0, "low"), (0.4999999999999999, "low"), (0.5, "medium"), (0.7999999999999999, "medium"), (0.8, "high"),
        (1.0, "high"),
    ],
)  # fmt: skip
def test_bands_begin_at_their_bounds(probability: float, expected: str) -> None:
    assert band(probability, DEFAULT) == expected


def test_a_model_survives_its_row() -> None:
    for model in (DEFAULT, replace(DEFAULT, covariates=Covariates(intercept=-0.1, silence=-0.6))):
        row = json.loads(json.dumps(model.parameters()))
        assert ChurnModel.from_parameters(DEFAULT.version, DEFAULT.source, row) == model


@pytest.mark.parametrize(
    "wrong",
    [
        {"r": 0},
        {"alpha_days": float("nan")},
        {"a": float("inf")},
        {"b": -1},
        {"horizon_days": 0},
        {"covariate_silence": 11},
        {"medium_from": 0.9},
        {"high_from": 1.1},
    ],
)
def test_a_model_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        ChurnModel.from_parameters("t", "a test", {**DEFAULT.parameters(), **wrong})
