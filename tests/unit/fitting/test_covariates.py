"""What is learned of customers beyond the counting of their visits."""

from __future__ import annotations

import numpy as np
import pytest
from test_counting import HORIZON, cdnow_followed

from pipeline.fitting.churn import baseline, validate
from pipeline.fitting.churn import fit as fit_visits
from pipeline.fitting.counting import Counting
from pipeline.fitting.covariates import Foreteller, features, fit
from pipeline.fitting.histories import Histories
from pipeline.fitting.maximum import NotFitted
from pipeline.scores.churn.covariates import Covariates
from pipeline.scores.churn.model import DAY_MS, Activity, ChurnModel, probability

MODEL = Counting(0.5, 40.0, 0.9, 1.6, True)


def drawn(count: int) -> Histories:
    rng = np.random.default_rng(3)
    repeats = rng.poisson(rng.gamma(0.7, 4.0, count)).astype(float)
    age = rng.uniform(30, 300, count)
    return Histories(repeats, np.where(repeats > 0, age * rng.beta(4, 1, count), 0.0), age)


def came(histories: Histories, covariates: Covariates) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Who comes if the model with this covariates is the truth."""
    return np.random.default_rng(4).random(len(histories)) < Foreteller(MODEL, covariates).comes(histories, 90)


def test_what_is_beyond_visits_is_found_within_its_errors() -> None:
    histories, truth = drawn(100_000), Covariates(intercept=0.4, silence=-0.6)
    found = fit(histories, came(histories, truth), MODEL, 90)
    for value, true, error in zip(found.covariates[:2], truth, found.errors, strict=False):
        assert abs(value - true) < 3 * error
        assert 0 < error < 0.05
    assert not any(found.covariates.beyond)  # nothing is known of that


def test_where_visits_tell_all_there_is_to_know_nothing_is_found() -> None:
    histories = drawn(100_000)
    found = fit(histories, came(histories, Covariates()), MODEL, 90)
    assert all(abs(value) < 3 * error for value, error in zip(found.covariates[:2], found.errors, strict=False))


def test_it_foretells_each_customer_as_the_live_score_does() -> None:
    histories, covariates = drawn(50), Covariates(intercept=0.2, silence=-0.5)
    foretold = Foreteller(MODEL, covariates).comes(histories, 90)
    live = ChurnModel(
        version="t", source="t", r=0.5, alpha_days=40.0, a=0.9, b=1.6, leaves_after_first=True, covariates=covariates
    )
    for x, last, age, comes in zip(histories.repeats, histories.last, histories.age, foretold, strict=True):
        activity = Activity(int(x) + 1, 0, round(last * DAY_MS))
        assert 1 - probability(activity, round(age * DAY_MS), live) == pytest.approx(comes, abs=1e-6)


def test_a_feature_that_is_the_same_for_all_is_left_at_nothing() -> None:
    once = Histories(np.zeros(4), np.zeros(4), np.full(4, 30.0))
    found = fit(once, np.array([True, False, False, False]), MODEL, 90)
    assert not features(once, MODEL).any()
    assert found.covariates.silence == 0
    assert np.isnan(found.errors[1])


@pytest.mark.parametrize("who", [True, False])
def test_without_any_who_came_or_who_did_not_there_is_nothing_to_learn(who: bool) -> None:
    with pytest.raises(NotFitted, match="all customers came, or none did"):
        fit(drawn(10), np.full(10, who), MODEL, 90)


def test_a_coefficient_that_no_model_takes_is_not_learned() -> None:
    silence = np.linspace(0.0, 1.0, 2_000)
    nearly_alike = Histories(np.ones(2_000), np.ones(2_000), 1.0 + silence)
    with pytest.raises(NotFitted, match="a coefficient beyond ±10"):
        fit(nearly_alike, silence < 0.5, MODEL, 90)


def test_a_feature_that_would_need_such_a_coefficient_is_left_out_and_the_others_are_learned() -> None:
    rng = np.random.default_rng(3)
    visits = drawn(4_000)
    beyond = np.zeros((4_000, 7))
    beyond[:, 0], beyond[:, 1] = rng.uniform(0.0, 2.0, 4_000), rng.uniform(0.0, 0.05, 4_000)
    histories = Histories(visits.repeats, visits.last, visits.age, beyond)
    found = fit(histories, came(histories, Covariates(help=2.0, complaints=40.0)), MODEL, 90)
    assert found.covariates.complaints == 0
    assert np.isnan(found.errors[3])
    assert abs(found.covariates.help - 2.0) < 3 * found.errors[2]


def test_cdnows_second_39_weeks_are_foretold_better_than_by_recency_or_by_visits_alone() -> None:
    """It is learned from the first 39 weeks alone: from the first half, who came in the second."""
    followed, half = cdnow_followed(), cdnow_followed(halves=True)
    earlier = fit_visits(half.histories, True).model
    covariates = fit(half.histories, half.came, earlier, HORIZON / 2).covariates
    counting = fit_visits(followed.histories, True).model
    found = validate(Foreteller(counting, covariates).comes(followed.histories, HORIZON), followed.came, 1)
    by_visits = validate(Foreteller(counting).comes(followed.histories, HORIZON), followed.came, 1)
    assert found.auc.value > baseline(followed.histories, followed.came, 1).recency_auc.value > by_visits.auc.value
    assert found.brier.value < by_visits.brier.value < 0.162
    assert found.calibration_error.value < 0.044 < by_visits.calibration_error.value
