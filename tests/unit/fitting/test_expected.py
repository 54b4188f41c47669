"""What contacts that nobody answered are expected to get, on contacts of which the truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.fitting.expected import AnsweredContacts, ExpectedFit, calibration, fit
from pipeline.fitting.histories import Array
from pipeline.fitting.maximum import NotFitted
from pipeline.fitting.satisfaction import difference
from pipeline.scores.satisfaction.contacts import Signals

SIZE = 20_000
TRUTH = Signals(wait=-0.6, failed=-1.2, repeats=-0.3)
#: The logits of three touchpoints without signals. At the last one everything fails.
LEVELS = np.array([1.0, 0.0, 2.0])


def drawn(effect: float, seed: int = 3) -> AnsweredContacts:
    """Contacts of three touchpoints; signals move their answers by `effect` of the truth."""
    rng = np.random.default_rng(seed)
    about = rng.integers(0, 3, SIZE)
    signals = np.zeros((SIZE, len(Signals._fields)))
    signals[:, 0] = rng.exponential(0.7, SIZE) * (1 + about)
    signals[:, 1] = (rng.random(SIZE) < 0.2) | (about == 2)
    signals[:, 3] = np.log1p(rng.poisson(0.4, SIZE))
    signals[:, 5] = np.log1p(rng.poisson(0.5, SIZE))
    share = 1 / (1 + np.exp(-(LEVELS[about] + effect * signals @ np.array(TRUTH))))
    return AnsweredContacts(
        np.arange(SIZE) // 2, np.arange(SIZE) / 100, 100 * rng.beta(2 * share, 2 * (1 - share)), about, signals
    )


def means(contacts: AnsweredContacts) -> Array:
    return np.bincount(contacts.about, contacts.scores) / np.bincount(contacts.about)


def foretold(found: ExpectedFit, learned: AnsweredContacts, later: AnsweredContacts) -> Array:
    return found.foretell(found.levels(means(learned))[later.about], later.signals)


def test_coefficients_are_found_within_their_errors_even_where_a_touchpoint_always_fails() -> None:
    contacts = drawn(1.0)
    found = fit(contacts, means(contacts))
    for name, error in zip(Signals._fields, found.errors[1:], strict=True):
        truth, coefficient = getattr(TRUTH, name), getattr(found.coefficients, name)
        # The logit of a mean lies closer to 0 than the mean of logits, by less than a tenth here.
        assert (np.isnan(error) and coefficient == 0.0) or abs(coefficient - truth) < 3 * error + 0.1 * abs(truth), name


def test_the_same_contacts_give_the_same_fit() -> None:
    contacts = drawn(1.0)
    first, again = fit(contacts, means(contacts)), fit(contacts, means(contacts))
    assert (first.intercept, first.coefficients) == (again.intercept, again.coefficients)


def test_there_is_nothing_where_there_are_no_effects() -> None:
    learned, later = drawn(0.0), drawn(0.0, seed=4)
    found = fit(learned, means(learned))
    for coefficient, error in zip(found.coefficients, found.errors[1:], strict=True):
        assert np.isnan(error) or abs(coefficient) < 3 * error
    predicted = foretold(found, learned, later)
    assert abs(difference(predicted, means(learned)[later.about], later.scores, later.customers, 1).value) < 0.1


def test_what_is_foretold_is_calibrated_and_better_than_the_touchpoints_mean() -> None:
    learned, later = drawn(1.0), drawn(1.0, seed=4)
    predicted = foretold(fit(learned, means(learned)), learned, later)
    intercept, slope, gap = calibration(predicted, later.scores)
    assert abs(intercept) < 0.1
    assert 0.9 < slope < 1.1
    assert gap < 1.5
    assert difference(predicted, means(learned)[later.about], later.scores, later.customers, 1).high < 0


def test_a_touchpoint_without_contacts_has_the_signals_of_all() -> None:
    contacts = drawn(1.0)
    found = fit(contacts, np.append(means(contacts), 50.0))
    levels = found.levels(np.array([50.0] * 5))
    assert levels[3] == levels[4] == pytest.approx(-contacts.signals.mean(axis=0) @ np.array(found.coefficients))


def test_a_prediction_that_is_always_the_same_has_no_line() -> None:
    intercept, slope, gap = calibration(np.full(4, 50.0), np.array([40.0, 60.0, 90.0, 50.0]))
    assert np.isnan(intercept) and np.isnan(slope)
    assert gap == pytest.approx(60 / 4)


def test_signals_that_are_all_the_same_are_refused() -> None:
    contacts = drawn(1.0)
    with pytest.raises(NotFitted, match="no signals that differ"):
        fit(contacts._replace(signals=np.ones_like(contacts.signals)), means(contacts))
    some = contacts.where(contacts.days < 10)
    assert len(some.scores) == len(some.signals) == 1_000
