"""The gamma-gamma model of spending against what is published on CDNOW."""

from __future__ import annotations

import cdnow
import numpy as np
import pytest

from pipeline.fitting.maximum import NotFitted, maximise
from pipeline.fitting.spend import Spend, expected_mean, log_likelihood


def repeat_spending() -> tuple[np.ndarray, np.ndarray]:
    """The number of repeat purchases up to 30 September 1997, and their mean amount; of those who have any."""
    found = []
    for spent in cdnow.purchases().values():
        amounts = [spent[day] for day in sorted(spent) if day <= cdnow.UNTIL][1:]
        if sum(amounts) > 0:
            found.append((len(amounts), sum(amounts) / len(amounts)))
    repeats, mean = np.array(found, np.float64).T
    return repeats, mean


def test_cdnows_parameters_are_the_published_ones() -> None:
    repeats, mean = repeat_spending()
    assert len(repeats) == 946
    found = maximise(lambda values: log_likelihood(repeats, mean, Spend(*values)), [(1, 2, 20), (5, 3, 15)])
    assert found.values.round(2).tolist() == [6.25, 3.74, 15.44]
    assert round(found.log_likelihood, 2) == -4055.92


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
