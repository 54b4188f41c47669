"""Recovery times, from what the database and the broker noted."""

from __future__ import annotations

import math

from faults.history import Change
from faults.recovery import Fault, Recovery, seconds, summed

A, B = "worker-a", "worker-b"
KILLED = Fault(cause="kill", at=100.0, killed=frozenset({A}))


def commit(at: float, next_offset: int, *, partition: int = 0, epoch: int = 1, owner: str = A) -> Change:
    return Change(partition, epoch, owner, 0, next_offset, 0, owner, at)


def appended(*at: float) -> list[tuple[int, float]]:
    return list(enumerate(at))


def test_it_takes_from_the_kill_to_the_first_commit_under_a_later_epoch() -> None:
    changes = [
        commit(99, 1),
        commit(102, 1, epoch=2, owner=B),
        commit(103, 2, epoch=2, owner=B),
        commit(104, 3, epoch=2, owner=B),
    ]
    assert seconds(KILLED, changes, {0: appended(98, 99.5, 101)}) == 3


def test_a_commit_that_was_under_way_when_the_worker_died_is_no_recovery() -> None:
    changes = [commit(99, 1), commit(100.01, 2), commit(105, 3, epoch=2, owner=B)]
    assert seconds(KILLED, changes, {0: appended(98, 99, 99.5)}) == 5


def test_a_taking_or_a_commit_without_records_is_no_recovery() -> None:
    changes = [commit(99, 1), commit(101, 1, epoch=2), commit(102, 1, epoch=2), commit(104, 2, epoch=2)]
    assert seconds(KILLED, changes, {0: appended(98, 99.5)}) == 4


def test_the_last_partition_counts_and_those_of_others_need_no_new_epoch() -> None:
    changes = [
        commit(99, 1),
        commit(99, 1, partition=1, owner=B),
        commit(101, 2, partition=1, owner=B),
        commit(103, 2, epoch=2, owner=B),
    ]
    assert seconds(KILLED, changes, {0: appended(98, 99.5), 1: appended(98, 99.5)}) == 3


def test_time_counts_from_when_there_was_something_to_process() -> None:
    changes = [commit(99, 1), commit(104, 2, epoch=2)]
    assert seconds(KILLED, changes, {0: appended(98, 103.5)}) == 0.5


def test_a_partition_without_records_says_nothing() -> None:
    changes = [commit(99, 1), commit(200, 2, epoch=2)]
    assert seconds(KILLED, changes, {0: appended(98)}) is None
    assert seconds(KILLED, changes, {0: appended(98, 199)}) is None


def test_records_that_are_never_committed_are_no_recovery() -> None:
    assert seconds(KILLED, [commit(99, 1)], {0: appended(98, 99.5)}) == math.inf


def test_a_summary_has_median_nearest_rank_and_worst() -> None:
    assert summed([float(n) for n in range(1, 11)]) == Recovery(count=10, median=5.5, p90=9, worst=10)
    assert summed([]) is None
