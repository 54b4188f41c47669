"""When partitions of a worker tell each other directly."""

from __future__ import annotations

from pipeline.flow.exchange import Barrier
from pipeline.identity.correction_log import CorrectionLog
from pipeline.ledger.positions import Position
from pipeline.observe.health import Health
from pipeline.observe.metrics import Metrics
from pipeline.processing.assignment import AssignedPartitions
from pipeline.processing.direct_routes import DirectRoutes
from pipeline.topics import TOUCHPOINTS


def assigned_partitions(*numbers: int) -> AssignedPartitions:
    assigned = AssignedPartitions(Metrics(), Health(), lambda _number: None)
    for number in numbers:
        take(assigned, number)
    return assigned


def take(assigned: AssignedPartitions, number: int, epoch: int = 1) -> None:
    assigned.begin(Position(TOUCHPOINTS, number, epoch, 0, 0, 0, "lineage"), CorrectionLog(), ())


def read(routes: DirectRoutes, barriers: list[tuple[int, Barrier]]) -> None:
    for partition, barrier in barriers:
        routes.note_read(partition, barrier)


def test_a_partition_tells_others_by_the_topic_until_its_barrier_was_read_on_each() -> None:
    routes = DirectRoutes(assigned_partitions(0, 1))
    assert set(routes.targets(0)) == set()
    to_zero, to_one = routes.barriers(0, now=5.0)
    assert (to_zero[0], to_one[0]) == (0, 1)
    assert set(routes.targets(0)) == {0, 1}  # what comes now is kept
    assert set(routes.targets(1)) == set()
    assert not routes.is_open(0)
    assert routes.barriers(0, now=5.1) == []  # one is under way
    read(routes, [to_zero])
    assert not routes.is_open(0)
    read(routes, [to_one])
    assert routes.is_open(0)
    assert set(routes.targets(0)) == {0, 1}
    assert routes.barriers(0, now=6.0) == []


def test_the_barrier_of_an_earlier_attempt_opens_nothing() -> None:
    routes = DirectRoutes(assigned_partitions(0))
    earlier = routes.barriers(0, now=0.0)
    assert routes.give_up(0, kept=0, now=60.0)
    routes._assigned[0].position = routes._assigned[0].position._replace(commits=7)
    later = routes.barriers(0, now=80.0)
    read(routes, earlier)
    assert not routes.is_open(0)
    read(routes, later)
    assert routes.is_open(0)


def test_a_change_of_the_assigned_partitions_begins_anew() -> None:
    assigned = assigned_partitions(0, 1)
    routes = DirectRoutes(assigned)
    read(routes, routes.barriers(0, now=0.0))
    under_way = routes.barriers(1, now=0.0)
    assert routes.is_open(0)
    take(assigned, 1, epoch=2)
    read(routes, under_way)
    assert not routes.is_open(0)
    assert not routes.is_open(1)
    assert set(routes.targets(0)) == set()
    read(routes, routes.barriers(0, now=0.0))
    assert routes.is_open(0)
    assigned.drop(1)
    assert not routes.is_open(0)


def test_a_barrier_is_given_up_when_the_topic_is_behind_and_tried_again_later() -> None:
    routes = DirectRoutes(assigned_partitions(0))
    assert not routes.give_up(0, kept=10**9, now=0.0)  # there is none
    routes.barriers(0, now=0.0)
    assert not routes.give_up(0, kept=5, now=3.0)  # a slow round
    routes.note_commit(0)
    routes.note_commit(0)
    assert not routes.give_up(0, kept=5, now=1.0)
    assert routes.give_up(0, kept=5, now=3.0)
    assert set(routes.targets(0)) == set()
    assert routes.barriers(0, now=4.0) == []
    assert routes.barriers(0, now=14.0)


def test_a_barrier_is_given_up_when_too_much_is_kept_or_nothing_happens() -> None:
    routes = DirectRoutes(assigned_partitions(0))
    routes.barriers(0, now=0.0)
    assert routes.give_up(0, kept=100_001, now=0.1)
    routes.barriers(0, now=20.0)
    assert not routes.give_up(0, kept=0, now=29.0)
    assert routes.give_up(0, kept=0, now=31.0)


def test_what_was_interrupted_begins_anew() -> None:
    routes = DirectRoutes(assigned_partitions(0))
    read(routes, routes.barriers(0, now=0.0))
    routes.note_commit(0)
    routes.close()
    assert not routes.is_open(0)
    assert routes.barriers(0, now=0.0)
