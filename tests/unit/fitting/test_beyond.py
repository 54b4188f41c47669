"""What else happened to customers, as a fit sees it: as the live score does, and found where it has an effect."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.fitting.beyond import Lately, features
from pipeline.fitting.counting import Counting
from pipeline.fitting.covariates import Foreteller, fit
from pipeline.fitting.histories import Histories
from pipeline.scores.churn.beyond import Beyond, amounts
from pipeline.scores.churn.beyond import features as live_features
from pipeline.scores.churn.covariates import Covariates
from pipeline.scores.churn.model import DAY_MS
from pipeline.scores.decay import weight
from pipeline.scores.evidence.sums import MIDDLE, Evidence

HALF_LIFE_DAYS = 30
HALF_LIFE_MS = HALF_LIFE_DAYS * DAY_MS
NOW = 1_790_000_000_000
#: Rates, and the chances to leave, are drawn from what the MBG/NBD states.
TRUTH = Counting(0.5, 40.0, 0.9, 1.6, True)


def test_features_are_those_of_the_live_score() -> None:
    days = {"help": (1, 40), "complaints": (3,), "failures": (90,), "bad": (10, 20), "active": (7, 30, 100, 160)}

    def faded(of: str) -> float:
        return sum(2.0 ** (-day / HALF_LIFE_DAYS) for day in days[of])

    def weights(of: str) -> int:
        return sum(weight(NOW - day * DAY_MS, HALF_LIFE_MS) for day in days[of])

    bad = weights("bad")
    evidence = Evidence(weights("help"), weights("complaints"), weights("failures"), bad, bad, bad * -MIDDLE)
    beyond = Beyond(evidence, 4, weights("active"), {"EUR": 2}, {"EUR": 500}, NOW)
    live = live_features(amounts(beyond, NOW - 160 * DAY_MS, NOW - 7 * DAY_MS, NOW, HALF_LIFE_MS))
    lately = [
        faded("help"), faded("complaints"), faded("failures"), faded("bad"), faded("bad"), -faded("bad"),
        faded("active"), 4, 153 / HALF_LIFE_DAYS, 7 / HALF_LIFE_DAYS, 250,
    ]  # fmt: skip
    found = features(Lately(*[np.array([float(each)]) for each in lately]))
    assert found[0] == pytest.approx(live, abs=1e-7)


def test_nothing_known_is_nothing_felt() -> None:
    assert not features(Lately(*[np.zeros(3)] * len(Lately._fields))).any()


def simulated(covariates: Covariates, count: int) -> tuple[Histories, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Customers who call for help, complain, fail and answer at rates of their own, and who then come or not."""
    rng = np.random.default_rng(5)
    repeats = rng.poisson(rng.gamma(0.7, 4.0, count)).astype(float)
    age = rng.uniform(30, 300, count)
    last = np.where(repeats > 0, age * rng.beta(4, 1, count), 0.0)
    answers = rng.poisson(0.4, count).astype(float)
    bad = rng.binomial(answers.astype(int), 0.3).astype(float)
    activities = repeats + 1 + rng.poisson(2.0, count)
    lately = Lately(
        help=rng.gamma(0.5, 1.5, count),
        complaints=rng.gamma(0.2, 1.0, count),
        failures=rng.gamma(0.4, 1.0, count),
        bad_answers=bad,
        answers=answers,
        points=0.6 * (answers - bad) - 0.7 * bad,
        recent=activities * rng.beta(2, 2, count),
        activities=activities,
        span=last / HALF_LIFE_DAYS,
        silent=np.zeros(count),
        purchase=np.where(rng.random(count) < 0.5, rng.gamma(4, 1_000, count), 0.0),
    )
    histories = Histories(repeats, last, age, features(lately))
    came = np.random.default_rng(6).random(count) < Foreteller(TRUTH, covariates).comes(histories, 90)
    return histories, came


@pytest.mark.parametrize(
    "truth",
    [
        Covariates(),
        Covariates(help=0.3, complaints=0.8, failures=0.4),
        Covariates(bad_answers=0.5, satisfaction=-0.6, falling_use=0.4, money=-0.1),
    ],
    ids=["nothing", "help, complaints and failures", "answers, use and money"],
)
def test_what_has_an_effect_is_found_within_its_errors_and_what_has_none_is_not(truth: Covariates) -> None:
    histories, came = simulated(truth, 60_000)
    found = fit(histories, came, TRUTH, 90)
    for name, value, true, error in zip(Covariates._fields, found.covariates, truth, found.errors, strict=True):
        assert abs(value - true) < 3 * error, name
        assert not true or value * true > 0, name
        assert 0 < error < 0.2, name


def test_a_feature_that_nobody_has_gets_no_weight() -> None:
    histories, came = simulated(Covariates(complaints=0.8), 5_000)
    assert histories.beyond is not None
    histories.beyond[:, 0] = 0.0
    found = fit(histories, came, TRUTH, 90)
    assert found.covariates.help == 0
    assert np.isnan(found.errors[2])
    assert found.covariates.complaints > 0
