"""What a customer is worth if they stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.fitting.spend import Spend as Fitted
from pipeline.fitting.spend import expected_mean
from pipeline.scores.churn.beyond import Beyond
from pipeline.scores.churn.model import DAY_MS, DEFAULT, Activity, ChurnModel, value_if_stays
from pipeline.scores.churn.value import Spend, expected_purchase, spend_of

NOW = 1_790_000_000_000
CDNOW = Spend("USD", 6.25, 3.74, 1544.0)
MODEL = replace(DEFAULT, spend=CDNOW)


def customer(visits: int, purchases: int, paid: int, currency: str = "USD", age_days: int = 100) -> Activity:
    beyond = Beyond(payments={currency: purchases}, paid={currency: paid})
    return Activity(visits, NOW - age_days * DAY_MS, NOW, None, beyond)


def test_a_purchase_is_what_the_fitted_model_expects() -> None:
    for purchases, paid in ((1, 500), (4, 12_000), (30, 99_999)):
        expected = expected_mean(np.array([float(purchases)]), np.array([paid / purchases]), Fitted(*CDNOW[1:]))
        assert expected_purchase(purchases, paid, CDNOW) == pytest.approx(float(expected[0]), rel=1e-12)


def test_value_is_visits_within_the_horizon_times_purchases_a_visit_times_a_purchase() -> None:
    # 90 days · (0.243 + 3) / (30.898 + 100) visits, each with half a purchase.
    expected = 90 * 3.243 / 130.898 * 0.5 * expected_purchase(2, 8_000, CDNOW)
    assert value_if_stays(customer(4, 2, 8_000), NOW, MODEL) == pytest.approx(expected, rel=1e-12)


def test_silence_lowers_what_is_expected_and_more_visits_raise_it() -> None:
    known = customer(4, 2, 8_000)
    now, later = value_if_stays(known, NOW, MODEL), value_if_stays(known, NOW + 60 * DAY_MS, MODEL)
    assert now is not None and later is not None and later < now
    assert value_if_stays(known, NOW - DAY_MS, MODEL) == now
    assert (value_if_stays(customer(8, 4, 16_000), NOW, MODEL) or 0) > now


def test_purchases_in_another_currency_and_none_are_worth_nothing() -> None:
    assert value_if_stays(customer(4, 2, 8_000, "EUR"), NOW, MODEL) == 0
    assert value_if_stays(customer(4, -1, -50), NOW, MODEL) == 0, "of a row of before, more can be taken out"


def test_without_a_spend_model_it_is_not_known() -> None:
    assert value_if_stays(customer(4, 2, 8_000), NOW, DEFAULT) is None


def test_a_spend_model_is_stored_and_read() -> None:
    stored = MODEL.parameters()
    assert stored["spend_gamma:USD"] == 1544.0
    assert ChurnModel.from_parameters("v", "s", stored).spend == CDNOW
    assert spend_of(DEFAULT.parameters()) is None


@pytest.mark.parametrize("wrong", [{"p": 0.0}, {"q": 1.0}, {"gamma": float("inf")}])
def test_parameters_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="spend_p"):
        replace(DEFAULT, spend=CDNOW._replace(**wrong))
