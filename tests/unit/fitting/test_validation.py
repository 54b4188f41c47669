"""Figures of how well probabilities agree with what happened, and the published ones on CDNOW."""

from __future__ import annotations

import numpy as np
import pytest
from test_counting import HORIZON, cdnow_followed, played_out

from pipeline.fitting.churn import baseline, fit, validate
from pipeline.fitting.counting import Counting, comes
from pipeline.fitting.covariates import Foreteller
from pipeline.fitting.covariates import fit as fit_covariates
from pipeline.fitting.validation import auc, brier, calibration_error, calibration_line, samples_for, with_interval

TWO = np.array([True, False])


def test_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    happened = np.array([True, True, False, False])
    assert auc(np.array([0.9, 0.4, 0.4, 0.1]), happened) == 0.875
    assert np.isnan(auc(np.array([0.9, 0.4]), np.array([True, True])))


def test_brier_is_the_mean_squared_distance() -> None:
    assert brier(np.array([0.8, 0.3]), TWO) == pytest.approx((0.04 + 0.09) / 2)


def test_the_calibration_error_is_by_groups_of_probability() -> None:
    predicted = np.array([0.25] * 4 + [0.75] * 4 + [1.0])
    happened = np.array([True, False, False, False, True, True, False, False, True])
    assert calibration_error(predicted, happened) == pytest.approx(4 * 0.25 / 9)


def test_the_calibration_line_finds_what_was_done_to_probabilities() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 1.5, 200_000)
    happened = rng.random(logits.size) < 1 / (1 + np.exp(-(0.3 + 0.5 * logits)))
    intercept, slope = calibration_line(1 / (1 + np.exp(-logits)), happened)
    assert (intercept, slope) == (pytest.approx(0.3, abs=0.02), pytest.approx(0.5, abs=0.02))
    assert np.isnan(calibration_line(np.array([0.5, 0.6]), np.array([True, True]))).all()


def test_an_interval_holds_the_figure_and_is_the_same_again() -> None:
    rng = np.random.default_rng(1)
    predicted = rng.random(500)
    happened = rng.random(500) < predicted
    first, again = (with_interval(brier, predicted, happened, 100, 7) for _ in range(2))
    assert first == again
    assert first.low < first.value < first.high


def test_millions_of_customers_are_drawn_less_often() -> None:
    assert [samples_for(customers) for customers in (0, 2_357, 100_000, 400_000, 5_000_000)] == [200, 200, 200, 50, 20]


def test_cdnows_validation_is_the_published_one() -> None:
    followed = cdnow_followed()
    beaten = baseline(followed.histories, followed.came, 1)
    assert beaten.recency_auc.value == pytest.approx(0.771, abs=5e-4)
    for leaves_after_first, figures in ((False, (0.757, 0.161, 0.043)), (True, (0.760, 0.161, 0.050))):
        model = fit(followed.histories, leaves_after_first).model
        found = validate(comes(followed.histories, model, HORIZON), followed.came, 1)
        for figure, published in zip(found[:3], figures, strict=True):
            assert figure.value == pytest.approx(published, abs=6e-4)
        assert found.brier.value < beaten.base_rate_brier
        assert found.slope.low < 1 < found.slope.high


@pytest.mark.parametrize("leaves_after_first", [False, True])
def test_risks_of_customers_who_behave_as_the_model_says_are_calibrated_and_nothing_is_found_beyond_visits(
    leaves_after_first: bool,
) -> None:
    """Rates, and the chances to leave, are drawn from stated distributions; all is learned before the foretold time."""
    truth, horizon = Counting(0.9, 30.0, 1.1, 2.8, leaves_after_first), 60.0
    earlier, now = (played_out(truth, 12_000, until, horizon) for until in (180.0, 240.0))
    model = fit(now.histories, leaves_after_first).model
    beyond = fit_covariates(earlier.histories, earlier.came, fit(earlier.histories, leaves_after_first).model, horizon)
    assert abs(beyond.covariates.silence) < 3 * beyond.errors[1]
    found = validate(Foreteller(model, beyond.covariates).comes(now.histories, horizon), now.came, 1)
    assert 0.9 < found.slope.value < 1.1
    assert found.intercept.low < 0.1
    assert found.intercept.high > -0.1
