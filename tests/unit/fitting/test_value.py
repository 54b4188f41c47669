"""What customers are expected to spend: the live formula for many at once, and what they spent."""

from __future__ import annotations

import cdnow
import numpy as np
import pytest
from test_counting import HORIZON, cdnow_followed

from pipeline.fitting.churn import fit
from pipeline.fitting.counting import Counting
from pipeline.fitting.covariates import Foreteller
from pipeline.fitting.covariates import fit as fit_covariates
from pipeline.fitting.histories import Histories
from pipeline.fitting.spend import Spend
from pipeline.fitting.spend import fit as fit_spend
from pipeline.fitting.value import Bought, as_so_far, bought, validate_value, value_if_stays
from pipeline.scores.churn import value as live
from pipeline.scores.churn.beyond import Beyond
from pipeline.scores.churn.model import DAY_MS, Activity, ChurnModel
from pipeline.scores.churn.model import value_if_stays as live_value

DAY = 86_400_000


def test_it_is_the_formula_of_the_live_score() -> None:
    model = ChurnModel(
        version="", source="", r=0.4, alpha_days=30.0, a=0.8, b=2.4, spend=live.Spend("EUR", 6.25, 3.74, 1_544.0)
    )
    histories = Histories(np.array([3.0, 0.0]), np.array([50.0, 0.0]), np.array([80.0, 20.0]))
    known = Bought(np.array([2.0, 0.0]), np.array([9_000.0, 0.0]), np.zeros(2))
    found = value_if_stays(histories, Counting(0.4, 30.0, 0.8, 2.4), known, Spend(6.25, 3.74, 1_544.0), 90)
    beyond = Beyond(payments={"EUR": 2}, paid={"EUR": 9_000})
    assert found[0] == pytest.approx(live_value(Activity(4, 0, 50 * DAY_MS, None, beyond), 80 * DAY_MS, model))
    assert found[1] == 0  # nobody knows yet that they buy


def test_what_was_bought_before_and_after_is_in_the_order_of_histories() -> None:
    customers, at, amounts = (
        np.array([7, 3, 7, 3, 3, 9, 7]),
        np.array([1, 2, 3, 4, 6, 6, 9]) * DAY,
        np.array([10.0, 5.0, 0.0, 7.0, 20.0, 99.0, 1.0]),
    )
    found = bought(customers, at, amounts, 4 * DAY, 6 * DAY)
    assert [each.tolist() for each in found] == [[2, 1], [12, 10], [20, 0]]  # 9 came later, 7's last is after the end
    spending = Bought(np.array([2.0, 0.0]), np.array([12.0, 0.0]), np.zeros(2)).spending
    assert [each.tolist() for each in spending] == [[2], [6]]


def test_without_a_model_customers_go_on_as_so_far() -> None:
    histories = Histories(np.array([3.0, 0.0]), np.array([50.0, 0.0]), np.array([200.0, 20.0]))
    known = Bought(np.array([4.0, 1.0]), np.array([80.0, 10.0]), np.zeros(2))
    assert as_so_far(histories, known, 100, 0.5).tolist() == [20, 5]


def test_the_total_the_error_and_the_order_are_told_apart() -> None:
    spent = np.array([0.0, 10.0, 20.0, 50.0])
    total, error, correlation = validate_value(np.array([4.0, 5.0, 11.0, 20.0]), spent, 1)
    assert (total.value, error.value, correlation.value) == (0.5, 12, pytest.approx(1))
    assert total.low <= 0.5 <= total.high


def test_a_sample_in_which_nobody_spent_has_no_ratio() -> None:
    total, _, _ = validate_value(np.ones(3), np.array([0.0, 0.0, 6.0]), 1)
    assert total.value == 0.5
    assert 0 < total.low < total.high < 10


def test_on_cdnow_the_total_is_foretold_and_better_than_by_a_naive_rule() -> None:
    rows = [
        (number, day.toordinal() * DAY, dollars)
        for number, spent in enumerate(cdnow.purchases().values())
        for day, dollars in spent.items()
    ]
    customers, at, dollars = (np.array(column) for column in zip(*rows, strict=True))
    until = cdnow.UNTIL.toordinal() * DAY
    known = bought(customers, at, dollars, until, until + cdnow.HORIZON_DAYS * DAY)
    followed = cdnow_followed()
    counting = fit(followed.histories, True).model
    earlier, half = cdnow_followed(halves=True), HORIZON / 2
    beyond = fit_covariates(earlier.histories, earlier.came, fit(earlier.histories, True).model, half).covariates
    value = value_if_stays(followed.histories, counting, known, fit_spend(known.spending).model, HORIZON)
    model = validate_value(Foreteller(counting, beyond).comes(followed.histories, HORIZON) * value, known.spent, 1)
    naive = validate_value(as_so_far(followed.histories, known, HORIZON, followed.came.mean()), known.spent, 1)
    assert model.total.value == pytest.approx(1.01, abs=0.02)
    assert model.total.low > naive.total.high
    assert model.error.value < naive.error.value
    assert model.correlation.value > naive.correlation.value
