"""Any order and batching of the same events gives what one plain computation over all of them gives."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from batch import Batch
from histories import history, long_history
from hypothesis import given, settings
from hypothesis import strategies as st
from network import Event, Network

from pipeline.cases import case
from pipeline.flow import long_journeys, portions
from pipeline.identity.policy import IdentityPolicy
from pipeline.journey import journey
from pipeline.ledger import memory_identity

POLICY = IdentityPolicy()


def check(
    seed: int, size: int, made: Callable[[Random, int], list[Event]] = history, workers: int = 1, disruptions: int = 0
) -> None:
    """Process a history in any order, some of it twice, with another worker from some point on."""
    rng = Random(seed)
    events = made(rng, size)
    arriving = [*events, *[event for event in events if rng.random() < 0.2]]
    rng.shuffle(arriving)
    cut = rng.randrange(len(arriving) + 1)
    network = Network(rng, POLICY, workers=workers, disruptions=disruptions)
    network.process(arriving[:cut])
    if rng.random() < 0.5:
        network.restart()
    network.process(arriving[cut:])
    expected = Batch(events, POLICY)
    assert network.touchpoints() == {each[:3]: {key for key, _ in each[3]} for each in expected.journeys()}
    assert network.scores() == expected.scores()
    assert network.cases() == expected.cases()
    if size < journey.KEPT_EACH_END:
        assert network.journeys() == expected.journeys()


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.sampled_from([3, 6, 12, 30]))
def test_any_order_and_batching(seed: int, size: int) -> None:
    check(seed, size)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.sampled_from([6, 12, 30]), st.integers(1, 3))
def test_any_order_and_batching_while_partitions_move_and_workers_are_killed(
    seed: int, size: int, workers: int
) -> None:
    check(seed, size, workers=workers, disruptions=12)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.sampled_from([6, 12, 30]))
def test_any_order_and_batching_in_small_portions(seed: int, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portions, "MAX_RESTATED", 1)
        check(seed, size)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.sampled_from([30, 60]))
def test_any_order_and_batching_of_very_long_journeys(seed: int, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for module in (journey, long_journeys):
            patch.setattr(module, "KEPT_EACH_END", 1)
        for module in (long_journeys, portions):
            patch.setattr(module, "LONG", 0)
        patch.setattr(memory_identity, "MORE_FOLLOWING", 3)
        patch.setattr(portions, "MAX_RESTATED", 1)
        check(seed, size, long_history)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.sampled_from([6, 12, 30]))
def test_any_order_and_batching_of_long_journeys(seed: int, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journey, "KEPT_EACH_END", 1)
        check(seed, size)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.sampled_from([12, 30]), st.sampled_from([1, 2, 4, 8]), st.booleans())
def test_any_order_and_batching_of_cases_with_too_many_touchpoints(
    seed: int, size: int, listed: int, is_long: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(case, "MAX_LISTED", listed)
        patch.setattr(portions, "MAX_RESTATED", 1)
        patch.setattr(journey, "KEPT_EACH_END", 1)
        check(seed, size, long_history if is_long else history)
