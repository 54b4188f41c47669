"""Pairs of touchpoints, counted by the sizes of groups."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joined_pairs import Pairs, joined_pairs


@pytest.mark.parametrize(
    ("touchpoints", "expected"),
    [
        ([], Pairs(0, 0, 0)),
        ([("ann", "x")], Pairs(0, 0, 0)),
        ([("ann", "x"), ("ann", "x"), ("ann", "x")], Pairs(3, 3, 3)),
        ([("ann", "x"), ("ann", "x"), ("ann", "y")], Pairs(3, 1, 1)),
        ([("ann", "x"), ("ann", "x"), ("bob", "x")], Pairs(1, 3, 1)),
        ([("ann", "x"), ("bob", "y")], Pairs(0, 0, 0)),
    ],
)
def test_pairs_are_counted(touchpoints: list[tuple[str, str]], expected: Pairs) -> None:
    assert joined_pairs(touchpoints) == expected


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("wxyz")), max_size=30))
def test_the_numbers_are_those_of_all_pairs_looked_at_one_by_one(touchpoints: list[tuple[str, str]]) -> None:
    looked_at = [(one[0] == other[0], one[1] == other[1]) for one, other in combinations(touchpoints, 2)]
    assert joined_pairs(touchpoints) == (
        sum(person for person, _ in looked_at),
        sum(owner for _, owner in looked_at),
        sum(person and owner for person, owner in looked_at),
    )


def test_precision_is_of_what_is_joined_and_recall_of_what_is_one_person_s() -> None:
    found = Pairs(one_person=8, one_owner=4, both=2)
    assert (found.precision, found.recall, found.wrong, found.missed) == (0.5, 0.25, 2, 6)
    assert (Pairs(0, 0, 0).precision, Pairs(0, 0, 0).recall) == (1.0, 1.0)
    assert found.without(Pairs(3, 1, 1)) == Pairs(5, 3, 1)


def test_many_touchpoints_take_no_longer_than_their_number() -> None:
    found = joined_pairs(("ann", "x") for _ in range(200_000))
    assert found == Pairs(*[200_000 * 199_999 // 2] * 3)
