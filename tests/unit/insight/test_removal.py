"""What journeys would be lost without a touchpoint, if they went by their transitions alone."""

from __future__ import annotations

import pytest

from pipeline.insight.removal import Transitions


def test_the_known_example_comes_out() -> None:
    known = Transitions("ABC", samples=0, seed=1)
    known.add("ABC", True, 1)
    known.add("A", False, 1)
    known.add("BC", False, 1)
    found = known.removal()
    assert found.converting == pytest.approx(1 / 3)
    assert {name: effect for name, effect, *_ in found.effects} == pytest.approx({"A": 0.5, "B": 1, "C": 1})
    assert [name for name, *_ in found.effects] == ["B", "C", "A"]


def test_ways_count_as_often_as_they_were_taken_and_their_share_comes_out() -> None:
    """A chain gives back the share of what it was counted from."""
    known = Transitions("AB", samples=200, seed=2)
    known.add("AB", True, 30)
    known.add("ABA", False, 50)
    known.add("", True, 5)
    known.add("", False, 15)
    found = known.removal()
    assert found.converting == pytest.approx(0.35)
    [(_, effect, low, high), *_] = [each for each in found.effects if each[0] == "A"]
    assert low <= effect <= high
    assert effect == pytest.approx(1 - 0.05 / 0.35)
    assert 0 < high - low < 0.3


def test_touchpoints_that_are_not_named_are_one() -> None:
    known = Transitions("A", samples=0, seed=1)
    known.add("XA", True, 1)
    known.add("YXA", True, 1)
    known.add("A", False, 2)
    assert [name for name, *_ in known.removal().effects] == ["A", "other"]


def test_a_touchpoint_that_leads_to_no_conversion_has_no_effect() -> None:
    known = Transitions("AB", samples=0, seed=1)
    known.add("A", True, 1)
    known.add("B", False, 1)
    assert [name for name, *_ in known.removal().effects] == ["A"]


def test_without_a_conversion_there_are_no_effects() -> None:
    known = Transitions("A", samples=10, seed=1)
    assert known.removal().effects == []
    known.add("A", False, 7)
    assert known.removal() == (0.0, [])


def test_conversions_at_once_need_no_touchpoint() -> None:
    known = Transitions("", samples=10, seed=1)
    known.add("", True, 1)
    known.add("", False, 3)
    assert known.removal() == (0.25, [])
