"""Whether what a model is applied to still looks like what it was fitted to."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.fitting.drift import LARGE, inputs, inputs_of_answers, inputs_of_contacts, profile, stability_index
from pipeline.fitting.expected import AnsweredContacts
from pipeline.fitting.histories import Histories
from pipeline.fitting.satisfaction import Answers, Prior


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
    now = np.array([0.0] * 1_000 + [1.0] * 9_000)
    whole = -0.5 * np.log(0.1 / 0.6) + 0.5 * np.log(0.9 / 0.4)
    assert stability_index(before._replace(size=0), now) == pytest.approx(whole - 1 / 10_000)
    assert stability_index(before, now) == pytest.approx(whole - 1 / 10_000 - 1 / 10)


def test_what_chance_alone_moves_is_no_drift() -> None:
    rng = np.random.default_rng(3)
    before = profile(rng.normal(size=150))
    found = [stability_index(before, rng.normal(size=100)) for _ in range(300)]
    assert np.mean(np.array(found) > LARGE) < 0.02


def test_a_group_that_is_empty_now_is_a_finite_change() -> None:
    found = stability_index(profile(np.arange(100.0)), np.full(100, 5.0))
    assert LARGE < found < 20
    assert type(found) is float  # which JSON can have


def test_silence_is_the_time_since_the_last_visit() -> None:
    found = inputs(Histories(np.array([2.0]), np.array([30.0]), np.array([100.0])))
    assert {name: values.tolist() for name, values in found.items()} == {
        "repeat visits": [2], "days of silence": [70], "days since the first visit": [100],
    }  # fmt: skip


def test_features_beyond_visits_are_inputs_by_their_names() -> None:
    beyond = np.arange(14.0).reshape(2, 7)
    found = inputs(Histories(np.zeros(2), np.zeros(2), np.ones(2), beyond))
    assert found["complaints"].tolist() == [1, 8]
    assert found["falling use"].tolist() == [5, 12]
    assert list(found)[-1] == "money"


def test_an_answer_is_foretold_from_its_touchpoint_what_lies_above_it_and_the_time_since_the_one_before() -> None:
    answers = Answers(
        np.array([0, 0, 1, 1]),
        np.array([1.0, 5.0, 2.0, 9.0]),
        np.array([90.0, 70.0, 20.0, 30.0]),
        np.array([0, 1, 0, 0]),
    )
    prior = Prior(60.0, 2.0, 20.0, np.array([50.0, 80.0]))
    found = inputs_of_answers(answers, prior, np.array([False, True, False, True]))
    assert found["usual score of the touchpoint"].tolist() == [80, 50]
    assert found["points above usual in the answer before"].tolist() == [40, -30]
    assert found["days since the answer before"].tolist() == [4, 7]


def test_the_inputs_of_contacts_are_their_signals_and_levels() -> None:
    signals = np.arange(16.0).reshape(2, 8)
    contacts = AnsweredContacts(np.zeros(2, int), np.zeros(2), np.zeros(2), np.zeros(2, int), signals)
    found = inputs_of_contacts(np.array([0.5, 0.7]), contacts)
    assert (found["wait"].tolist(), found["lateness"].tolist()) == ([0, 8], [7, 15])
    assert found["level of the touchpoint"].tolist() == [0.5, 0.7]
