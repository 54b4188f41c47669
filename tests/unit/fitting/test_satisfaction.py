"""The satisfaction model, fitted on answers of which the truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.fitting.maximum import NotFitted
from pipeline.fitting.satisfaction import (
    MOST_WEIGHT,
    Answers,
    Prior,
    choose_half_life,
    fit_prior,
    foretell,
    last_answers,
    ordered,
    validate,
)
from pipeline.scores.satisfaction import estimate
from pipeline.scores.satisfaction.model import DAY_MS, SatisfactionModel


def answers(*given: tuple[int, float, float]) -> Answers:
    who, days, scores = zip(*given, strict=True)
    return ordered(Answers(np.array(who), np.array(days), np.array(scores), np.zeros(len(who), np.int64)))


def drawn(customers: int, mean: float, between: float, within: float, drift: float = 0.0) -> Answers:
    """Customers about a mean, whose opinion may wander, with one to nine answers a month apart."""
    rng = np.random.default_rng(5)
    counts = rng.integers(1, 10, customers)
    who = np.repeat(np.arange(customers), counts)
    number = np.arange(len(who)) - np.repeat(np.cumsum(counts) - counts, counts)
    wandering = np.zeros(len(who))
    for n in range(1, 10):
        here = np.flatnonzero(number == n)
        wandering[here] = wandering[here - 1] + rng.normal(0, drift, len(here))
    scores = rng.normal(mean, between, customers)[who] + wandering + rng.normal(0, within, len(who))
    return Answers(who, number * 30.0, scores, np.zeros(len(who), np.int64))


def test_mean_scatter_and_weight_of_the_prior_are_found() -> None:
    found = fit_prior(drawn(4_000, 70.0, 12.0, 24.0))
    assert found.mean == pytest.approx(70, abs=0.7)
    assert found.sd == pytest.approx(24, rel=0.02)
    assert found.weight == pytest.approx(4, rel=0.15)  # 24² / 12²


def test_customers_who_do_not_differ_have_a_prior_that_nothing_outweighs() -> None:
    alike = answers((0, 0, 40.0), (0, 1, 60.0), (1, 0, 60.0), (1, 1, 40.0))
    assert fit_prior(alike).weight == MOST_WEIGHT
    assert fit_prior(answers((0, 0, 40.0), (0, 1, 60.0))).weight == MOST_WEIGHT


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ([(0, 0, 50.0), (1, 0, 60.0)], "no customer has answered twice"),
        ([(0, 0, 50.0), (0, 1, 50.0), (1, 0, 60.0)], "always given the same answer"),
    ],
)
def test_answers_that_do_not_tell_are_refused(given: list[tuple[int, float, float]], why: str) -> None:
    with pytest.raises(NotFitted, match=why):
        fit_prior(answers(*given))


def test_what_is_foretold_is_the_live_score_as_of_the_answer() -> None:
    given = answers((0, 100.0, 25.0), (0, 150.0, 100.0), (0, 300.5, 0.0), (1, 120.0, 75.0))
    prior = Prior(70.0, 2.0, 25.0)
    model = SatisfactionModel(
        version="t", source="t", half_life_days=60.0, prior_mean=70.0, prior_weight=2.0, answer_sd=25.0
    )
    start = estimate.EPOCH_MS
    state = estimate.add(None, start + 100 * DAY_MS, 25_000, model)
    state = estimate.add(state, start + 150 * DAY_MS, 100_000, model)
    expected = foretell(given, prior, 60.0).scores
    assert np.isnan(expected[[0, 3]]).all()
    assert expected[2] == pytest.approx(estimate.estimate(state, start + round(300.5 * DAY_MS), model).score)


def test_opinions_that_wander_have_a_shorter_half_life() -> None:
    steady, wandering = drawn(3_000, 70, 12, 20), drawn(3_000, 70, 12, 20, drift=15)
    chosen = [choose_half_life(each, fit_prior(each)) for each in (steady, wandering)]
    assert chosen[0] > 700
    assert chosen[1] < 100


def test_what_it_has_to_beat() -> None:
    given = answers((0, 0, 10.0), (0, 1, 20.0), (1, 0, 30.0))
    assert np.array_equal(last_answers(given), [np.nan, 10.0, np.nan], equal_nan=True)


def test_a_validation_has_intervals_and_is_the_same_again() -> None:
    given = drawn(300, 70, 12, 20)
    expected = foretell(given, fit_prior(given), 365.0).scores
    asked = ~np.isnan(expected)
    first, again = (validate(expected[asked], given.scores[asked], given.customers[asked], 3) for _ in range(2))
    assert first == again
    assert first.error.low < first.error.value < first.error.high
    assert 0.2 < first.correlation.value < 0.8
    constant = validate(np.full(int(asked.sum()), 70.0), given.scores[asked], given.customers[asked], 3)
    assert np.isnan(constant.correlation.value)
    assert constant.error.value > first.error.value
