"""The counting models against what is published."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from math import isclose, log

import cdnow
import numpy as np
import pytest

from pipeline.fitting.churn import fit
from pipeline.fitting.counting import Counting, alive, comes, expected, log_likelihood
from pipeline.fitting.histories import Followed, Histories, follow
from pipeline.fitting.maximum import NotFitted

WEEK = 7
#: Fader, Hardie and Lee (2005), Table 2, with time in weeks.
PAPER = Counting(r=0.243, alpha=4.414 * WEEK, a=0.793, b=2.426)
DAY_MS = 86_400_000
HORIZON = cdnow.HORIZON_DAYS


def one(x: float, t_x: float, age: float) -> Histories:
    return Histories(np.array([float(x)]), np.array([float(t_x)]), np.array([float(age)]))


@cache
def cdnow_followed(halves: bool = False) -> Followed:
    """The first 39 weeks and who came in the 39 after; or the first half of the former, and who came in the other."""
    customers, days = [], []
    for number, spent in enumerate(cdnow.purchases().values()):
        customers += [number] * len(spent)
        days += [day.toordinal() for day in spent]
    end = cdnow.UNTIL.toordinal() * DAY_MS
    span = cdnow.HORIZON_DAYS * DAY_MS // (2 if halves else 1)
    until = end - span if halves else end
    return follow(np.array(customers), np.array(days) * DAY_MS, until, until + span)


def test_the_customers_are_the_papers() -> None:
    histories = cdnow_followed().histories
    assert len(histories) == 2357
    assert round(float(histories.repeats.mean()), 2) == 1.04
    assert round(float(histories.age.max()) / WEEK, 2) == 38.86


@pytest.mark.parametrize(
    ("leaves_after_first", "r", "alpha", "a", "b", "best"),
    [(False, 0.2426, 4.4135, 0.7929, 2.4258, -9582.43), (True, 0.5248, 6.1831, 0.8914, 1.6140, -9582.14)],
    ids=["BG/NBD", "MBG/NBD"],
)
def test_cdnows_parameters_are_the_published_ones(
    leaves_after_first: bool, r: float, alpha: float, a: float, b: float, best: float
) -> None:
    found = fit(cdnow_followed().histories, leaves_after_first)
    assert found.model.r == pytest.approx(r, abs=1e-4)
    assert found.model.alpha / WEEK == pytest.approx(alpha, abs=1e-3)
    assert found.model.a == pytest.approx(a, abs=1e-4)
    assert found.model.b == pytest.approx(b, abs=3e-4)
    assert found.log_likelihood_in(WEEK) == pytest.approx(best, abs=0.01)
    # Fader, Hardie and Lee print no errors; these are of the size that 2,357 customers allow.
    assert all(0 < error < value for error, value in zip(found.errors, found.model[:4], strict=True))


def test_visits_expected_of_cdnows_first_customer_are_the_papers() -> None:
    model = fit(cdnow_followed().histories, False).model
    assert expected(one(2, 30.43 * WEEK, 38.86 * WEEK), model, 39 * WEEK)[0] == pytest.approx(1.226, abs=5e-4)


@pytest.mark.parametrize("leaves_after_first", [False, True])
def test_expected_visits_are_those_of_simulated_customers(leaves_after_first: bool) -> None:
    """The model's own story, played out; no formula of the model is in it."""
    rng = np.random.default_rng(1)
    model = Counting(1.2, 40.0, 1.4, 3.0, leaves_after_first)
    customers, until, days = 40_000, 150.0, 100.0
    visits = [_story(rng, model, until + days) for _ in range(customers)]
    number = np.repeat(np.arange(customers), [len(each) for each in visits])
    at = (np.concatenate(visits) * DAY_MS).astype(np.int64)
    known, came = follow(number, at, round(until * DAY_MS), round((until + days) * DAY_MS))
    later = sum(int(np.sum(each > until)) for each in visits)
    assert expected(known, model, days).sum() == pytest.approx(later, rel=0.03)
    assert comes(known, model, days).mean() == pytest.approx(came.mean(), rel=0.03)


def played_out(model: Counting, customers: int, until: float, days: float) -> Followed:
    """Customers who behave as a model says, up to a day, and who came in so many days after it."""
    rng = np.random.default_rng(7)
    visits = [_story(rng, model, until + days) for _ in range(customers)]
    number = np.repeat(np.arange(customers), [len(each) for each in visits])
    at = (np.concatenate(visits) * DAY_MS).astype(np.int64)
    return follow(number, at, round(until * DAY_MS), round((until + days) * DAY_MS))


def _story(rng: np.random.Generator, model: Counting, until: float) -> np.ndarray:
    """Return when a customer visits, in days from the first visit."""
    rate, leaves = rng.gamma(model.r, 1 / model.alpha), rng.beta(model.a, model.b)
    at, visits = 0.0, [0.0]
    if model.leaves_after_first and rng.random() < leaves:
        return np.array(visits)
    while (at := at + rng.exponential(1 / max(rate, 1e-12))) <= until:
        visits.append(at)
        if rng.random() < leaves:
            break
    return np.array(visits)


@pytest.mark.parametrize("leaves_after_first", [False, True])
def test_a_fit_finds_the_parameters_of_simulated_customers(leaves_after_first: bool) -> None:
    rng = np.random.default_rng(2)
    model = Counting(0.8, 20.0, 1.2, 2.5, leaves_after_first)
    visits = [_story(rng, model, 300.0) for _ in range(8_000)]
    number = np.repeat(np.arange(len(visits)), [len(each) for each in visits])
    at = (np.concatenate(visits) * DAY_MS).astype(np.int64)
    found = fit(follow(number, at, 300 * DAY_MS, 300 * DAY_MS).histories, leaves_after_first)
    for value, error, true in zip(found.model[:4], found.errors, model[:4], strict=True):
        assert abs(value - true) < 3 * error


def test_who_came_once_may_have_left_in_the_mbg_alone() -> None:
    once = one(0, 0, 500)
    assert alive(once, PAPER)[0] == 1
    assert alive(once, PAPER._replace(leaves_after_first=True))[0] < 0.9


def test_the_unit_of_time_shifts_the_likelihood_of_each_visit_alike() -> None:
    weeks = log_likelihood(one(2, 30.43, 38.86), PAPER._replace(alpha=PAPER.alpha / WEEK))
    days = log_likelihood(one(2, 30.43 * WEEK, 38.86 * WEEK), PAPER)
    # A density of two times: per day it is 7² times smaller.
    assert isclose(weeks - days, 2 * log(7), rel_tol=1e-9)


def test_histories_of_any_length_have_a_finite_likelihood() -> None:
    for x in (0, 1, 10**3, 10**6, 10**9):
        values = [log_likelihood(one(x, t_x, 1e6), PAPER) for t_x in ((0.0, 1.0, 1e6) if x else (0.0,))]
        assert all(np.isfinite(values))
        assert all(earlier > later for earlier, later in pairwise(values))


def test_nobody_who_came_again_is_nothing_to_fit() -> None:
    with pytest.raises(NotFitted, match="no customer came a second time"):
        fit(one(0, 0, 10), False)


def test_what_is_no_history_is_refused() -> None:
    for wrong in ((1, 11, 10), (-1, 0, 10), (0, 1, 10)):
        with pytest.raises(ValueError, match="customer number 1"):
            one(*wrong)
    with pytest.raises(ValueError, match="different lengths"):
        Histories(np.zeros(2), np.zeros(1), np.zeros(1))


def test_visits_are_followed_in_any_order() -> None:
    found = follow(np.array([1, 0, 1, 0, 2, 1]), np.array([5, 0, 5, 2, 7, 9]) * DAY_MS, 6 * DAY_MS, 9 * DAY_MS)
    assert found.histories.repeats.tolist() == [1, 0]
    assert found.histories.last.tolist() == [2, 0]
    assert found.histories.age.tolist() == [6, 1]
    assert found.came.tolist() == [False, True]
