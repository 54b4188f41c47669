"""The gamma-gamma model of spending against what is published on CDNOW."""

from __future__ import annotations

import cdnow
import numpy as np
import pytest

from pipeline.fitting.maximum import NotFitted, maximise
from pipeline.fitting.spend import Spend, expected_mean, fit, spending


def test_cdnows_parameters_are_the_published_ones() -> None:
    rows = [
        (number, day.toordinal(), dollars)
        for number, spent in enumerate(cdnow.purchases().values())
        for day, dollars in spent.items()
    ]
    customers, days, dollars = (np.array(column) for column in zip(*rows, strict=True))
    found = fit(spending(customers, days, dollars, cdnow.UNTIL.toordinal()))
    assert found.customers == 946
    assert [round(value, 2) for value in found.model] == [6.25, 3.74, 15.44]
    assert round(found.log_likelihood, 2) == -4055.92


def test_a_fit_finds_the_parameters_of_simulated_customers() -> None:
    rng = np.random.default_rng(3)
    model = Spend(4.0, 3.0, 20.0)
    customers = np.repeat(np.arange(4_000), rng.integers(2, 8, 4_000))
    scale = rng.gamma(model.q, 1 / model.gamma, 4_000)
    found = fit(
        spending(customers, np.arange(customers.size), rng.gamma(model.p, 1 / scale[customers]), customers.size)
    )
    for value, error, true in zip(found.model, found.errors, model, strict=True):
        assert abs(value - true) < 3 * error


def test_what_was_spent_first_and_later_on_does_not_count() -> None:
    customers, at, amounts = (
        np.array([0, 0, 0, 0, 1]),
        np.array([5, 1, 5, 9, 2]),
        np.array([10.0, 99.0, 4.0, 50.0, 7.0]),
    )
    repeats, mean = spending(customers, at, amounts, 6)
    assert (repeats.tolist(), mean.tolist()) == ([1], [14])
    with pytest.raises(NotFitted, match="nobody spent"):
        fit(spending(customers, at, amounts, 2))


def test_who_has_spent_little_is_expected_to_be_like_everybody() -> None:
    model = Spend(6.25, 3.74, 15.44)
    everybody = model.p * model.gamma / (model.q - 1)
    few, many = expected_mean(np.array([1.0, 500.0]), np.array([100.0, 100.0]), model)
    assert expected_mean(np.array([0.0]), np.array([0.0]), model)[0] == pytest.approx(everybody)
    assert everybody < few < many == pytest.approx(100, abs=1)


def test_a_likelihood_without_a_maximum_is_not_fitted() -> None:
    with pytest.raises(NotFitted):
        maximise(lambda values: float(np.log(values[0])), [(1.0,)])


def test_where_the_data_say_nothing_of_a_parameter_its_error_is_unknown() -> None:
    found = maximise(lambda values: -float(np.log(values[0] / 3) ** 2), [(1.0, 1.0)])
    assert found.values[0] == pytest.approx(3, rel=1e-4)
    assert np.isnan(found.errors).all()
