"""What is known of a customer beyond their visits, and what it does to the probability."""

from __future__ import annotations

from dataclasses import replace
from math import log, log1p

import pytest
from known_beyond import DAY, NOW, beyond

from pipeline.scores.churn.beyond import NOTHING_BEYOND, amounts, features, main_currency
from pipeline.scores.churn.covariates import Covariates
from pipeline.scores.churn.model import DEFAULT, Activity, probability
from pipeline.scores.churn.score import CHURN_RISK
from pipeline.scores.decay import EPOCH_MS, decayed, weight
from pipeline.scores.evidence.score import EVIDENCE

HALF_LIFE = DEFAULT.half_life_ms
REGULAR = Activity(10, NOW - 200 * DAY, NOW - 10 * DAY)


def known(of: Activity, as_of: int = NOW) -> tuple[float, ...]:
    return features(amounts(of.beyond, of.first_at, of.last_at, as_of, HALF_LIFE))


def test_a_sum_is_worth_half_a_half_life_later() -> None:
    total = 3 * weight(NOW, HALF_LIFE)
    assert decayed(total, NOW, HALF_LIFE) == pytest.approx(3)
    assert decayed(total, NOW + HALF_LIFE, HALF_LIFE) == pytest.approx(1.5)
    assert weight(EPOCH_MS, HALF_LIFE) == 1 << 32
    with pytest.raises(ValueError, match="negative shift"):
        weight(EPOCH_MS - HALF_LIFE, HALF_LIFE)


def test_nothing_is_known_of_a_row_of_before() -> None:
    assert known(REGULAR) == (0.0,) * 7
    everything = replace(DEFAULT, covariates=Covariates(0, 0, *[5.0] * 7))
    assert probability(REGULAR, NOW, everything) == pytest.approx(probability(REGULAR, NOW, DEFAULT))


def test_features_are_those_of_what_happened_lately() -> None:
    it = Activity(10, NOW - 200 * DAY, NOW - 50 * DAY)._replace(
        beyond=beyond(contacts=2, complaints=1, failures=3, answers=(0, 100_000), days_ago=30)
    )
    assert known(it)[:5] == pytest.approx((log1p(1), log1p(0.5), log1p(1.5), log1p(0.5), 0.0))
    assert known(it, as_of=0)[:2] == pytest.approx((log1p(2), log1p(1)))  # not before it has happened
    worst = REGULAR._replace(beyond=beyond(answers=(0,)))
    assert known(worst)[4] == pytest.approx(-0.5)


def test_use_falls_where_the_last_weeks_had_less_than_the_past() -> None:
    steady = REGULAR._replace(
        beyond=NOTHING_BEYOND._replace(
            activities=191,
            activity_weight=sum(weight(NOW - day * DAY, HALF_LIFE) for day in range(10, 201)),
            seen_at=NOW,
        )
    )
    assert known(steady)[5] == pytest.approx(0, abs=0.02)
    early = steady._replace(beyond=steady.beyond._replace(activity_weight=191 * weight(NOW - 190 * DAY, HALF_LIFE)))
    late = steady._replace(beyond=steady.beyond._replace(activity_weight=191 * weight(NOW - 12 * DAY, HALF_LIFE)))
    assert known(early)[5] > 0.5 > -0.5 > known(late)[5]
    at_once = Activity(3, NOW, NOW, None, beyond(activities=5))
    assert known(at_once)[5] == pytest.approx(0, abs=1e-6)


def test_the_currency_of_most_purchases_counts() -> None:
    assert main_currency({}) == ""
    assert main_currency({"USD": 2, "EUR": 2, "GBP": 1, "CHF": -1}) == "EUR"
    it = REGULAR._replace(beyond=NOTHING_BEYOND._replace(payments={"EUR": 2, "USD": 1}, paid={"EUR": 300, "USD": 9}))
    assert known(it)[6] == pytest.approx(log(151))


def test_more_taken_out_than_a_row_of_before_holds_is_nothing() -> None:
    less = NOTHING_BEYOND._replace(
        evidence=NOTHING_BEYOND.evidence._replace(help=-5), activities=-1, activity_weight=-7
    )
    assert known(REGULAR._replace(beyond=less)) == (0.0,) * 7


def test_sums_of_another_half_life_mean_something_else() -> None:
    slower = replace(DEFAULT, half_life_days=60.0)
    for score in (CHURN_RISK, EVIDENCE):
        assert not score.continues(DEFAULT, slower)
        assert score.continues(DEFAULT, replace(DEFAULT, r=1.0))


@pytest.mark.parametrize("days", [0.5, 40_000])
def test_a_half_life_out_of_range_is_refused(days: float) -> None:
    with pytest.raises(ValueError, match="half_life_days"):
        replace(DEFAULT, half_life_days=days)
