"""The BG/NBD model against what Fader, Hardie and Lee (2005) print."""

from __future__ import annotations

import csv
from itertools import pairwise
from math import isclose, log

import pytest
from datasets import dataset

from pipeline.scores.churn.likelihood import Parameters, log_likelihood

PAPER = Parameters(r=0.243, alpha=4.414, a=0.793, b=2.426)


@pytest.fixture(scope="module")
def cdnow() -> list[tuple[int, float, float]]:
    """(x, t_x, T) of CDNOW's 2,357 customers, in weeks."""
    with dataset("cdnow", "cdnow_customers_summary.csv").open(newline="") as file:
        return [(int(row["frequency"]), float(row["recency"]), float(row["T"])) for row in csv.DictReader(file)]


def total(customers: list[tuple[int, float, float]], parameters: Parameters) -> float:
    return sum(log_likelihood(*customer, parameters) for customer in customers)


def test_the_customers_are_the_papers(cdnow: list[tuple[int, float, float]]) -> None:
    assert len(cdnow) == 2357
    assert round(sum(x for x, _, _ in cdnow) / len(cdnow), 2) == 1.04


def test_cdnows_log_likelihood_is_the_papers(cdnow: list[tuple[int, float, float]]) -> None:
    assert round(total(cdnow, PAPER), 1) == -9582.4


@pytest.mark.parametrize("name", Parameters._fields)
def test_the_papers_estimates_are_the_maximum(name: str, cdnow: list[tuple[int, float, float]]) -> None:
    best = getattr(PAPER, name)
    below, at, above = (total(cdnow, PAPER._replace(**{name: best * by})) for by in (0.97, 1.0, 1.03))
    assert below < at > above


def test_the_unit_of_time_shifts_the_likelihood_of_each_visit_alike() -> None:
    weeks = log_likelihood(2, 30.43, 38.86, PAPER)
    days = log_likelihood(2, 30.43 * 7, 38.86 * 7, PAPER._replace(alpha=PAPER.alpha * 7))
    # A density of two times: per day it is 7² times smaller.
    assert isclose(weeks - days, 2 * log(7), rel_tol=1e-12)


def test_histories_of_any_length_have_a_finite_likelihood() -> None:
    for x in (0, 1, 10**3, 10**6, 10**9):
        values = [log_likelihood(x, t_x, 1e6, PAPER) for t_x in (0.0, 1.0, 1e6)]
        assert all(value == value and abs(value) < 1e300 for value in values)
        assert x == 0 or all(earlier > later for earlier, later in pairwise(values))
