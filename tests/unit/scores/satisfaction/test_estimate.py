"""A customer's satisfaction, from their own answers."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import reduce
from math import isclose, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.scores.protocol import NotReversible
from pipeline.scores.satisfaction.estimate import EPOCH_MS, UNIT, UNKNOWN, Answers, add, estimate, remove, usual
from pipeline.scores.satisfaction.model import DAY_MS, DEFAULT, SatisfactionModel

NOW = 1_790_000_000_000
MODEL = SatisfactionModel(version="t", source="a test", half_life_days=10, prior_mean=60, prior_weight=2, answer_sd=20)
QUICKEST = SatisfactionModel(
    version="t", source="a test", half_life_days=1, prior_mean=60, prior_weight=2, answer_sd=20
)
moments = st.integers(EPOCH_MS, NOW)
scores = st.integers(0, 100_000)
given_answers = st.lists(st.tuples(moments, scores), min_size=1, max_size=12)


def added(answers: list[tuple[int, int]], model: SatisfactionModel = MODEL) -> Answers:
    state = reduce(lambda sofar, answer: add(sofar, *answer, model), answers, None)
    assert state is not None
    return state


@given(given_answers.flatmap(lambda answers: st.tuples(st.just(answers), st.permutations(answers))))
def test_the_order_of_answers_never_matters(both: tuple[list[tuple[int, int]], list[tuple[int, int]]]) -> None:
    answers, shuffled = both
    assert added(answers) == added(shuffled)


@pytest.mark.parametrize(
    ("ages_days", "weight"),
    [
        ([0], 1.0),
        ([10], 0.5),
        ([20], 0.25),
        ([5], sqrt(0.5)),
        ([0, 10, 20], 1.75),
        ([3650], 2.0**-365),
    ],
)
def test_an_answer_counts_half_a_half_life_later(ages_days: list[int], weight: float) -> None:
    answers = added([(NOW - days * DAY_MS, 50_000) for days in ages_days])
    assert isclose(estimate(answers, NOW, MODEL).answers_effective, weight, rel_tol=1e-9)


def test_the_score_is_the_credibility_weighted_mean_of_prior_and_answers() -> None:
    answers = added([(NOW, 100_000), (NOW - 10 * DAY_MS, 0)])
    score, low, high, effective = estimate(answers, NOW, MODEL)
    assert isclose(effective, 1.5, rel_tol=1e-9)
    assert isclose(score, (2 * 60 + 1 * 100 + 0.5 * 0) / (2 + 1.5), rel_tol=1e-9)
    half = 1.959963984540054 * 20 / sqrt(3.5)
    assert isclose(low, score - half, rel_tol=1e-9)
    assert isclose(high, min(100, score + half), rel_tol=1e-9)


def test_one_answer_at_the_epoch_weighs_one_unit() -> None:
    assert add(None, EPOCH_MS, 7, MODEL) == Answers(1, UNIT, 7 * UNIT, EPOCH_MS, (("", UNIT),))


BY_TOUCHPOINT = replace(MODEL, touchpoint_means={"web/purchase": 90.0, "call_centre/call_ended": 30.0})


def test_a_customer_is_expected_to_answer_as_is_usual_of_what_they_were_asked_about() -> None:
    cases = {"web/purchase": 90, "call_centre/call_ended": 30, "web/page_viewed": 60, UNKNOWN: 60}
    for touchpoint, mean in cases.items():
        answers = add(None, NOW, 50_000, BY_TOUCHPOINT, touchpoint)
        assert isclose(estimate(answers, NOW, BY_TOUCHPOINT).score, (2 * mean + 50) / 3, rel_tol=1e-9)
        assert isclose(estimate(answers, NOW, MODEL).score, (2 * 60 + 50) / 3, rel_tol=1e-9)


def test_what_is_usual_is_weighted_like_the_answers() -> None:
    answers = add(add(None, NOW, 0, MODEL, "web/purchase"), NOW - 10 * DAY_MS, 0, MODEL, "call_centre/call_ended")
    assert isclose(usual(answers, BY_TOUCHPOINT), (90 + 0.5 * 30) / 1.5, rel_tol=1e-9)


@given(
    st.lists(st.tuples(moments, scores, st.sampled_from(["web/purchase", "web/x", UNKNOWN])), min_size=2, max_size=12)
)
def test_an_answer_is_taken_out_exactly(answers: list[tuple[int, int, str]]) -> None:
    def fold(some: list[tuple[int, int, str]]) -> Answers | None:
        return reduce(lambda known, each: add(known, each[0], each[1], MODEL, each[2]), some, None)

    whole, first = fold(answers), answers[0]
    left = remove(whole, first[0], first[1], MODEL, first[2]) if whole else None
    assert left is not None and whole is not None
    assert left._replace(last_at=0) == fold(answers[1:])._replace(last_at=0)  # type: ignore[union-attr]
    assert sum(weight for _, weight in whole.about) == whole.weight


def test_an_answer_about_an_unknown_touchpoint_cannot_be_taken_out_of_a_known_one() -> None:
    answers = add(add(None, NOW, 0, MODEL), NOW, 0, MODEL)
    with pytest.raises(NotReversible):
        remove(answers, NOW, 0, MODEL, "web/purchase")


def test_an_answer_from_before_the_epoch_is_refused() -> None:
    with pytest.raises(ValueError):
        add(None, EPOCH_MS - 1, 7, MODEL)


@given(given_answers, st.integers(0, 50 * 365), st.sampled_from([MODEL, QUICKEST, DEFAULT]))
def test_the_interval_holds_the_score_and_stays_on_the_scale(
    answers: list[tuple[int, int]], later_days: int, model: SatisfactionModel
) -> None:
    score, low, high, effective = estimate(added(answers, model), NOW + later_days * DAY_MS, model)
    assert 0 <= low <= score <= high <= 100
    assert 0 <= effective <= len(answers) * (1 + 1e-9)


@given(given_answers, st.integers(0, 3650), st.integers(1, 3650))
def test_as_answers_age_the_score_goes_back_to_the_prior(
    answers: list[tuple[int, int]], first: int, later: int
) -> None:
    state = added(answers)
    sooner, afterwards = (estimate(state, NOW + days * DAY_MS, MODEL) for days in (first, first + later))
    assert abs(afterwards.score - 60) <= abs(sooner.score - 60) + 1e-12
    assert afterwards.answers_effective <= sooner.answers_effective


@given(given_answers, st.integers(EPOCH_MS, NOW))
def test_a_moment_before_the_last_answer_is_taken_for_that_answers(answers: list[tuple[int, int]], before: int) -> None:
    state = added(answers)
    if before <= state.last_at:
        assert estimate(state, before, MODEL) == estimate(state, state.last_at, MODEL)


def test_sums_beyond_the_largest_float_are_no_trouble() -> None:
    state = added([(NOW, 100_000)] * 100, QUICKEST)
    assert state.weight.bit_length() > 13_000
    assert isclose(estimate(state, NOW, QUICKEST).score, (2 * 60 + 100 * 100) / 102, rel_tol=1e-9)


def test_nothing_but_best_answers_and_a_best_prior_stay_on_the_scale() -> None:
    model = SatisfactionModel(
        version="t", source="a test", half_life_days=7.3, prior_mean=100, prior_weight=0.3, answer_sd=1e-9
    )
    for age in range(200):
        state = added([(NOW - age * DAY_MS * days // 7, 100_000) for days in range(9)], model)
        assert estimate(state, NOW, model).score <= 100


def test_a_model_survives_its_row() -> None:
    for model in (DEFAULT, BY_TOUCHPOINT):
        row = json.loads(json.dumps(model.parameters()))
        assert SatisfactionModel.from_parameters(model.version, model.source, row) == model


@pytest.mark.parametrize(
    "wrong",
    [
        {"half_life_days": 0.5},
        {"half_life_days": float("nan")},
        {"prior_mean": 101},
        {"prior_mean:web/purchase": -1},
        {"prior_weight": 0},
        {"answer_sd": -1},
        {"answer_sd": float("inf")},
    ],
)
def test_a_model_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        SatisfactionModel.from_parameters("t", "a test", {**DEFAULT.parameters(), **wrong})
