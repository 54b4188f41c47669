"""Whether what a model is applied to still looks like what it was fitted to."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.fitting.drift import LARGE, inputs, profile, stability_index
from pipeline.fitting.histories import Histories


def test_the_same_values_have_not_moved() -> None:
    values = np.random.default_rng(1).normal(size=5_000)
    assert stability_index(profile(values), values) == 0
    assert stability_index(profile(values), np.random.default_rng(2).normal(size=5_000)) < 0.01


def test_values_that_have_moved_far_are_a_large_change() -> None:
    values = np.random.default_rng(1).normal(size=5_000)
    assert stability_index(profile(values), values + 0.2) < LARGE < stability_index(profile(values), values + 1)


def test_it_is_the_sum_over_groups() -> None:
    before = profile(np.array([0.0] * 6 + [1.0] * 4))
    assert before.shares == pytest.approx([0.6, 0.4, 0])
    found = stability_index(before, np.array([0.0, 1.0]))
    assert found == pytest.approx(-0.1 * np.log(0.5 / 0.6) + 0.1 * np.log(0.5 / 0.4))


def test_a_group_that_is_empty_now_is_a_finite_change() -> None:
    assert LARGE < stability_index(profile(np.arange(100.0)), np.full(100, 5.0)) < 20


def test_silence_is_the_time_since_the_last_visit() -> None:
    found = inputs(Histories(np.array([2.0]), np.array([30.0]), np.array([100.0])))
    assert {name: values.tolist() for name, values in found.items()} == {
        "repeat visits": [2], "days of silence": [70], "days since the first visit": [100],
    }  # fmt: skip
