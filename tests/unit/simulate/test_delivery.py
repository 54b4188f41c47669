from __future__ import annotations

from itertools import pairwise

from pipeline.simulate.delivery import delivered
from pipeline.simulate.story import DAY, HOUR
from pipeline.touchpoint import Touchpoint

ORDERED = [Touchpoint(str(number), "s", number * 60_000) for number in range(5_000)]


def lateness(found: list[Touchpoint]) -> list[int]:
    """Of each, how far the latest before it was ahead, in milliseconds."""
    newest, behind = 0, []
    for touchpoint in found:
        newest = max(newest, touchpoint.occurred_at)
        behind.append(newest - touchpoint.occurred_at)
    return behind


def test_without_disorder_and_duplicates_nothing_changes() -> None:
    assert list(delivered(ORDERED, seed=1, duplicates=0)) == ORDERED


def test_a_share_comes_late_by_up_to_the_days_asked_for_and_nothing_is_lost() -> None:
    found = list(delivered(ORDERED, seed=1, disorder=0.2, late_days=1.0, duplicates=0))
    assert sorted(found, key=lambda t: t.occurred_at) == ORDERED
    late = [behind for behind in lateness(found) if behind]
    assert 0.17 < len(late) / len(found) < 0.23
    assert DAY / 2 < max(late) <= DAY


def test_a_share_comes_twice_within_the_hour() -> None:
    found = list(delivered(ORDERED, seed=1, duplicates=0.1))
    assert {touchpoint.event_id for touchpoint in found} == {touchpoint.event_id for touchpoint in ORDERED}
    assert 0.08 < len(found) / len(ORDERED) - 1 < 0.12
    assert max(lateness(found)) <= HOUR


def test_the_same_seed_makes_the_same_order_and_another_one_another() -> None:
    runs = [list(delivered(ORDERED, seed=seed, disorder=0.2, late_days=1, duplicates=0.1)) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_what_is_held_back_comes_in_order_of_its_delivery() -> None:
    found = list(delivered(ORDERED, seed=1, disorder=1.0, late_days=0.0, duplicates=0))
    assert all(a.occurred_at <= b.occurred_at for a, b in pairwise(found))
