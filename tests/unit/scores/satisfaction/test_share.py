"""The share of answers that are satisfied."""

from __future__ import annotations

from math import isclose, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.scores.satisfaction.share import Z95, satisfied_share


def test_without_answers_there_is_no_share() -> None:
    assert satisfied_share(0, 0) is None


@pytest.mark.parametrize(
    ("satisfied", "answers", "low", "high"),
    [
        # Newcombe (1998), Two-sided confidence intervals for the single proportion, Table I, method 3 (Wilson).
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_intervals_are_those_that_newcombe_prints(satisfied: int, answers: int, low: float, high: float) -> None:
    share = satisfied_share(satisfied, answers)
    assert share is not None
    assert (round(share.low, 4), round(share.high, 4)) == (low, high)


counts = st.integers(1, 10**12).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts)
def test_the_interval_holds_the_share_and_stays_within_0_and_1(counted: tuple[int, int]) -> None:
    share = satisfied_share(*counted)
    assert share is not None
    assert 0 <= share.low <= share.share <= share.high <= 1


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_observed_share_lies_z_standard_errors_from_either_end(counted: tuple[int, int]) -> None:
    share = satisfied_share(*counted)
    assert share is not None
    for end in (share.low, share.high):
        if 1e-9 < end < 1 - 1e-9:
            error = sqrt(end * (1 - end) / counted[1])
            assert isclose(abs(share.share - end), Z95 * error, rel_tol=1e-6, abs_tol=1e-9)
