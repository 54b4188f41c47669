"""R² is divided between drivers as the literature's examples are, however drivers go together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.insight.cross_products import CrossProducts
from pipeline.insight.importance import relative_weights, shapley

#: Henderson and Velleman (1981), from Motor Trend 1974: mpg, cyl, disp, hp, wt of 32 cars.
CARS = """
21.0 6 160 110 2.620|21.0 6 160 110 2.875|22.8 4 108 93 2.320|21.4 6 258 110 3.215|18.7 8 360 175 3.440
18.1 6 225 105 3.460|14.3 8 360 245 3.570|24.4 4 146.7 62 3.190|22.8 4 140.8 95 3.150|19.2 6 167.6 123 3.440
17.8 6 167.6 123 3.440|16.4 8 275.8 180 4.070|17.3 8 275.8 180 3.730|15.2 8 275.8 180 3.780|10.4 8 472 205 5.250
10.4 8 460 215 5.424|14.7 8 440 230 5.345|32.4 4 78.7 66 2.200|30.4 4 75.7 52 1.615|33.9 4 71.1 65 1.835
21.5 4 120.1 97 2.465|15.5 8 318 150 3.520|15.2 8 304 150 3.435|13.3 8 350 245 3.840|19.2 8 400 175 3.845
27.3 4 79 66 1.935|26.0 4 120.3 91 2.140|30.4 4 95.1 113 1.513|15.8 8 351 264 3.170|19.7 6 145 175 2.770
15.0 8 301 335 3.570|21.4 4 121 109 2.780
"""


def cars() -> np.ndarray:
    """Drivers first, mpg last."""
    rows = [[float(cell) for cell in row.split()] for row in CARS.replace("|", "\n").split("\n") if row]
    return np.array(rows)[:, [1, 2, 3, 4, 0]]


def correlations(rows: np.ndarray) -> np.ndarray:
    sums = CrossProducts(rows.shape[1], samples=0, seed=1)
    for start in range(0, len(rows), 7):
        sums.add(rows[start : start + 7])
    return sums.correlations(np.arange(rows.shape[1]))


def r_squared(rows: np.ndarray) -> float:
    drivers = np.column_stack([np.ones(len(rows)), rows[:, :-1]])
    rest = rows[:, -1] - drivers @ np.linalg.lstsq(drivers, rows[:, -1], rcond=None)[0]
    return float(1 - rest @ rest / np.sum((rows[:, -1] - rows[:, -1].mean()) ** 2))


def test_cars_have_the_relative_weights_that_are_known_of_them() -> None:
    [found] = relative_weights(correlations(cars()))
    assert found == pytest.approx([0.2096904, 0.1883043, 0.1799590, 0.2706812], abs=5e-8)


def test_cars_have_the_shapley_values_that_are_known_of_them() -> None:
    [found] = shapley(correlations(cars()))
    assert found == pytest.approx([0.2157094, 0.2006984, 0.1700769, 0.2621501], abs=5e-8)


def drawn(seed: int, rows: int, drivers: int) -> np.ndarray:
    """Drivers that go together, and a figure that most of them go with."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(rows, 1))
    figures = common * rng.uniform(0, 1, drivers) + rng.normal(size=(rows, drivers))
    y = figures @ rng.normal(size=drivers) + rng.normal(size=rows)
    return np.column_stack([figures * rng.uniform(0.01, 100, drivers) + rng.uniform(-1e4, 1e4, drivers), y])


@given(seed=st.integers(0, 10_000), drivers=st.integers(1, 6))
def test_both_divide_all_that_is_explained_and_are_never_negative(seed: int, drivers: int) -> None:
    rows = drawn(seed, 60, drivers)
    whole = r_squared(rows)
    for measure in (relative_weights, shapley):
        [found] = measure(correlations(rows))
        assert found.sum() == pytest.approx(whole, abs=1e-6)
        assert (found >= -1e-9).all()


def test_uncorrelated_drivers_have_what_each_explains_alone() -> None:
    """Each pair of signs once: the drivers have nothing in common."""
    signs = np.array([[a, b] for a in (-1.0, 1.0) for b in (-1.0, 1.0)])
    rows = np.column_stack([signs, 3 * signs[:, 0] + 4 * signs[:, 1]])
    for measure in (relative_weights, shapley):
        [found] = measure(correlations(rows))
        assert found == pytest.approx([9 / 25, 16 / 25])


def test_a_driver_that_says_the_same_as_another_shares_with_it() -> None:
    rows = drawn(3, 80, 2)
    twice = np.column_stack([rows[:, 0], rows[:, 0] * 2 + 5, rows[:, 1], rows[:, 2]])
    for measure in (relative_weights, shapley):
        [found] = measure(correlations(twice))
        assert found[0] == pytest.approx(found[1], abs=1e-6)
        assert found.sum() == pytest.approx(r_squared(rows), abs=1e-6)


def test_more_drivers_than_subsets_can_be_gone_through_are_refused() -> None:
    with pytest.raises(ValueError, match="13 drivers"):
        shapley(np.eye(14)[None])


def test_portions_make_no_difference_and_a_seed_gives_the_same_samples() -> None:
    rows = drawn(5, 500, 3)
    whole = CrossProducts(4, samples=50, seed=2)
    whole.add(rows[:0])
    whole.add(rows)
    again = CrossProducts(4, samples=50, seed=2)
    again.add(rows)
    every = np.arange(4)
    assert whole.rows == 500
    assert (whole.correlations(every) == again.correlations(every)).all()
    assert whole.correlations(every)[0] == pytest.approx(np.corrcoef(rows.T), abs=1e-9)
    assert correlations(rows)[0] == pytest.approx(np.corrcoef(rows.T), abs=1e-9)
    assert whole.means() == pytest.approx(rows.mean(axis=0))


def test_samples_scatter_as_the_figure_does() -> None:
    """The standard error of a correlation of 0 is 1/√n."""
    rows = np.random.default_rng(4).normal(size=(400, 2))
    sums = CrossProducts(2, samples=400, seed=3)
    sums.add(rows)
    assert sums.correlations(np.arange(2))[1:, 0, 1].std() == pytest.approx(1 / 20, rel=0.15)


def test_a_figure_that_does_not_vary_is_known_and_correlates_with_nothing() -> None:
    rows = np.column_stack([np.full(50, 0.1), drawn(6, 50, 1)])
    sums = CrossProducts(3, samples=20, seed=1)
    sums.add(rows[:20])
    sums.add(rows[20:])
    assert sums.varying().tolist() == [False, True, True]
    found = sums.correlations(np.arange(3))
    assert (found[:, 0, 1:] == 0).all()
    assert (found[:, 0, 0] == 1).all()
