"""Sums that fade are exact, whatever comes first, and short where rows hold them."""

from __future__ import annotations

from math import exp2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.scores.decay import EPOCH_MS, UNIT, decayed, half_lives, trailing_zeros, weight
from pipeline.scores.evidence.score import EVIDENCE
from pipeline.scores.evidence.sums import BASE, NO_EVIDENCE, Evidence

DAY = 86_400_000
NOW = 1_790_000_000_000
MONTH = 30 * DAY
moments = st.integers(EPOCH_MS, NOW)
half_lives_ms = st.integers(DAY, 36_500 * DAY)


@given(moments, half_lives_ms)
def test_a_weight_is_the_nearest_whole_number(at: int, half_life_ms: int) -> None:
    whole, rest = divmod(at - EPOCH_MS, half_life_ms)
    assert weight(at, half_life_ms) == round(exp2(rest / half_life_ms) * UNIT) << whole


@given(st.lists(moments, min_size=1), half_lives_ms)
def test_sums_as_of_the_first_moment_are_those_as_of_1990_without_their_zeros(
    times: list[int], half_life_ms: int
) -> None:
    base = half_lives(min(times), half_life_ms)
    total = sum(weight(at, half_life_ms) for at in times)
    assert sum(weight(at, half_life_ms, base) for at in times) << base == total
    assert trailing_zeros(total) >= base


def test_nothing_is_weighed_as_of_a_later_moment_than_its_own() -> None:
    with pytest.raises(ValueError, match="negative shift"):
        weight(NOW, MONTH, half_lives(NOW, MONTH) + 1)


@given(st.integers())
def test_zeros_are_counted_from_the_end(number: int) -> None:
    zeros = trailing_zeros(number)
    assert number == number >> zeros << zeros
    assert number == 0 or number >> zeros & 1


sums = st.builds(
    lambda times, counts: Evidence(*[sum(weight(at, MONTH) for at in times[:count]) for count in counts]),
    st.lists(moments, max_size=5), st.lists(st.integers(0, 5), min_size=6, max_size=6),
)  # fmt: skip


@given(sums, st.integers(-1, 1))
def test_evidence_is_read_as_it_was_written(evidence: Evidence, sign: int) -> None:
    evidence = evidence._replace(points=sign * evidence.points)
    assert Evidence.of(evidence.numbers()) == evidence


def test_evidence_of_a_few_weeks_fits_into_64_bits_and_a_row_of_before_is_as_of_1990() -> None:
    weights = [weight(NOW - days * DAY, MONTH) for days in (0, 3, 40)]
    evidence = Evidence(help=sum(weights), failures=weights[1], points=-weights[2])
    numbers = evidence.numbers()
    assert set(numbers) == {BASE, "help", "failures", "points"}
    assert all(abs(number) < 1 << 63 for number in numbers.values())
    assert Evidence.of({"help": sum(weights), "failures": weights[1], "points": -weights[2]}) == evidence
    assert NO_EVIDENCE.numbers() == {} and Evidence.of({}) == NO_EVIDENCE


def test_evidence_is_explained_by_how_much_there_was_lately() -> None:
    evidence = Evidence(help=weight(NOW, MONTH), failures=3 * weight(NOW - MONTH, MONTH), points=-5 * UNIT)
    reasons = EVIDENCE.explain(evidence, NOW, EVIDENCE.default_model)
    assert [reason.text for reason in reasons] == ["1.5 failures lately", "1.0 help lately"]
    assert decayed(evidence.help, NOW, MONTH) == pytest.approx(1)
