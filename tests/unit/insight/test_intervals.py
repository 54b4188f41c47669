"""Intervals hold the figure that they are of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.insight.cross_products import CrossProducts
from pipeline.insight.importance import shapley
from pipeline.insight.intervals import with_interval


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_a_figure_lies_in_its_interval_which_is_not_negative(samples: list[float]) -> None:
    figure, low, high = with_interval(np.array(samples))
    assert 0 <= low <= figure == samples[0] <= high


def test_an_interval_is_the_middle_of_the_samples_about_the_figure() -> None:
    """Samples that lie 0.2 above the figure say that it lies as much above what it is of."""
    even = np.linspace(0.4, 0.6, 2_001)
    assert with_interval(np.array([0.5, *even])) == pytest.approx((0.5, 0.405, 0.595))
    assert with_interval(np.array([0.3, *even])) == pytest.approx((0.3, 0.205, 0.395))
    assert with_interval(np.array([0.3])) == (0.3, 0.3, 0.3)


def test_what_few_cases_of_pure_chance_explain_is_not_above_all_doubt() -> None:
    """Ten drivers that say nothing about 60 cases explain a sixth of them; the samples explain more."""
    sums = CrossProducts(11, samples=300, seed=1)
    sums.add(np.random.default_rng(2).normal(size=(60, 11)))
    whole = shapley(sums.correlations(np.arange(11))).sum(axis=1)
    assert np.quantile(whole[1:], 0.025) > whole[0] - 0.05
    figure, low, high = with_interval(whole)
    assert low < figure - 0.05
    assert figure < high < 1
