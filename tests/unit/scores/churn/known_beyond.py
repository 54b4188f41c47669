"""Customers of whom something is known beyond their visits."""

from __future__ import annotations

from hypothesis import strategies as st

from pipeline.scores.churn.beyond import NOTHING_BEYOND, Beyond
from pipeline.scores.churn.model import DEFAULT
from pipeline.scores.decay import weight
from pipeline.scores.evidence.sums import MIDDLE, Evidence

NOW = 1_790_000_000_000
DAY = 86_400_000


def beyond(
    *,
    contacts: int = 0,
    complaints: int = 0,
    failures: int = 0,
    answers: tuple[int, ...] = (),
    activities: int = 0,
    purchases: int = 0,
    spent: int = 0,
    days_ago: int = 0,
) -> Beyond:
    """All of it so many days before `NOW`; answers are 0 to 100,000."""
    each = weight(NOW - days_ago * DAY, DEFAULT.half_life_ms)
    evidence = Evidence(
        contacts * each, complaints * each, failures * each, each * sum(a < MIDDLE for a in answers),
        each * len(answers), each * sum(a - MIDDLE for a in answers),
    )  # fmt: skip
    payments, paid = ({"EUR": purchases}, {"EUR": spent}) if purchases else ({}, {})
    return Beyond(evidence, activities, activities * each, payments, paid, NOW - days_ago * DAY)


anything_beyond = st.just(NOTHING_BEYOND) | st.builds(
    lambda *counts, answers: beyond(
        contacts=counts[0], complaints=counts[1], failures=counts[2], answers=tuple(answers), activities=counts[3],
        purchases=counts[4], spent=counts[5], days_ago=counts[6],
    ),
    *[st.integers(0, 100)] * 5, st.integers(0, 10**9), st.integers(0, 4_000),
    answers=st.lists(st.sampled_from([0, 25_000, 75_000, 100_000]), max_size=4),
)  # fmt: skip
