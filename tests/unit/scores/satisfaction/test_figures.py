"""Each instrument's standard figure, and how sure it is."""

from __future__ import annotations

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.scales import SCALES
from pipeline.scores.satisfaction.figures import NPS_DETRACTOR, STANDARD, Figures, Tally, figures, student_95


def tally(instrument: str, *scores: float) -> Tally:
    scale = SCALES[instrument]
    dissatisfied = NPS_DETRACTOR if instrument == "nps" else scale.dissatisfied
    return Tally(
        len(scores),
        sum(score >= scale.satisfied for score in scores),
        0 if dissatisfied is None else sum(score <= dissatisfied for score in scores),
        sum(scores),
        sum(score * score for score in scores),
    )


def of(instrument: str, *scores: float) -> Figures:
    return figures(instrument, tally(instrument, *scores))


def test_csat_is_the_share_of_the_two_top_boxes_with_wilsons_interval() -> None:
    found = of("csat", *[5] * 9, 2)
    assert found.standard is not None
    assert [round(end, 2) for end in found.standard if end is not None] == [0.90, 0.60, 0.98]
    assert found.mean.value == 4.7


def test_nps_is_promoters_less_detractors_and_sevens_and_eights_count_as_neither() -> None:
    found = of("nps", 10, 9, 9, 8, 7, 6, 0).standard
    assert found is not None
    assert found.value == pytest.approx(100 * (3 - 2) / 7)
    # by hand: (4 - 3)/9 ± 1.96·√((4/9 + 3/9 − 1/81)/9)
    assert (round(found.low or 0, 1), round(found.high or 0, 1)) == (-46.0, 68.3)


def test_unanimous_answers_leave_room_for_doubt() -> None:
    promoters, content = of("nps", 10, 10, 10).standard, of("ces", 7, 7, 7).standard
    assert promoters is not None
    assert (promoters.value, promoters.high) == (100.0, 100.0)
    assert promoters.low is not None
    assert promoters.low < 50
    assert content is not None
    assert content.low is not None
    assert content.low < 0.5


def test_neutral_sentiment_is_left_out_of_the_share_and_not_of_the_mean() -> None:
    found = of("sentiment", 0.8, 0.0, 0.0, -0.9)
    assert found.standard is not None
    assert found.standard.value == 0.5
    assert found.mean.value == pytest.approx(-0.025)
    assert of("sentiment", 0.0).standard is None


def test_one_answer_has_a_mean_and_no_interval_of_it() -> None:
    assert of("stars", 4).mean == (4.0, None, None)


@pytest.mark.parametrize("score", [0.1, 0.7, -0.3])
def test_answers_that_are_all_the_same_do_not_say_how_far_others_are_from_them(score: float) -> None:
    assert of("csat", 5, 5).mean == (5.0, None, None)
    assert of("sentiment", score, score, score).mean == (pytest.approx(score), None, None)


def test_a_mean_has_students_interval_within_the_scale() -> None:
    mean = of("ces", 5, 6, 7).mean
    # 6 ± 4.303·1/√3
    assert (round(mean.low or 0, 2), mean.high) == (3.52, 7.0)


@pytest.mark.parametrize(
    ("freedom", "tabulated"), [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (10, 2.228), (30, 2.042), (1000, 1.962)]
)
def test_students_quantiles_are_the_tabulated_ones(freedom: int, tabulated: float) -> None:
    assert isclose(student_95(freedom), tabulated, abs_tol=0.005)


@given(st.sampled_from(list(SCALES)), st.data())
def test_every_figure_lies_in_its_interval(instrument: str, data: st.DataObject) -> None:
    scale = SCALES[instrument]
    scores = data.draw(st.lists(st.floats(scale.worst, scale.best), min_size=1, max_size=30))
    for figure in figures(instrument, tally(instrument, *scores)):
        if figure is not None and figure.low is not None and figure.high is not None:
            assert figure.low - 1e-9 <= figure.value <= figure.high + 1e-9


def test_every_instrument_has_a_standard_figure() -> None:
    assert set(STANDARD) == set(SCALES)
