"""How many answers an interval needs, and how far two shares differ."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.insight.shares import answers_needed, difference, of_so_many
from pipeline.scores.satisfaction.share import Share, satisfied_share


def half_width(share: float, answers: int) -> float:
    """Half of Wilson's interval, without its being cut off."""
    z = 1.959963984540054**2
    return float(((share * (1 - share) + z / answers / 4) * z / answers) ** 0.5 / (1 + z / answers))


@given(share=st.floats(0, 1), half=st.floats(0.005, 0.45))
def test_so_many_answers_are_enough_and_one_less_is_not(share: float, half: float) -> None:
    needed = answers_needed(share, half)
    assert half_width(share, needed) <= half + 1e-7
    assert needed == 1 or half_width(share, needed - 1) > half - 1e-7


def test_five_points_need_381_answers_where_nothing_is_known() -> None:
    assert answers_needed(0.5, 0.05) == 381


@pytest.mark.parametrize(("population", "needed"), [(0, 0), (1, 1), (100, 80), (1_000, 277), (10**9, 381)])
def test_of_few_fewer_have_to_answer(population: int, needed: int) -> None:
    assert of_so_many(381, population) == needed


def test_a_difference_is_that_of_newcombe_s_example() -> None:
    """56 of 70 and 48 of 80: 0.2, with 0.0524 to 0.3339 by his method 10."""
    now, before = satisfied_share(56, 70), satisfied_share(48, 80)
    assert now is not None and before is not None
    assert difference(now, before) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert difference(before, now) == pytest.approx((-0.2, -0.3339, -0.0524), abs=5e-5)


def test_no_difference_lies_within_its_interval() -> None:
    share = Share(0.3, 0.2, 0.45)
    apart, low, high = difference(share, share)
    assert (apart, low < 0 < high) == (0, True)
