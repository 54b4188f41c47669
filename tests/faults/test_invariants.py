"""Each invariant of the fault gate holds in a world where nothing went wrong, and fails where one thing did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from faults.history import Change
from faults.invariants import INVARIANTS, check, title
from faults.world import DeadLetter, Position, PublishedJourney, PublishedScore, Record, World

A, B = "worker-a", "worker-b"

#: Partition 0: two processed (one of them sent on from 1), a duplicate, one quarantined. Partition 1: one processed.
GOOD = World(
    accepted=5,
    records=[
        Record(0, 0, 10.0, None, b"k", b"one"),
        Record(0, 1, 10.1, None, b"k", b"one"),
        Record(0, 2, 10.2, None, b"k", b"bad"),
        Record(0, 5, 11.0, "1/0", b"k", b"astray"),
        Record(1, 0, 10.0, None, b"x", b"astray"),
        Record(1, 2, 10.5, None, b"l", b"two"),
    ],
    positions=[Position(0, 6, 2, 1, 1, 0), Position(1, 3, 1, 0, 0, 1)],
    changes=[
        Change(0, 1, A, 0, 0, 0, A, 9.0),
        Change(1, 1, A, 0, 0, 0, A, 9.0),
        Change(0, 1, A, 1, 3, 3, A, 10.3),
        Change(1, 1, A, 1, 1, 1, A, 10.4),
        Change(0, 2, B, 1, 3, 3, B, 10.5),
        Change(0, 2, B, 2, 6, 4, B, 11.1),
        Change(1, 1, A, 2, 3, 2, A, 11.2),
    ],
    journeys=[
        PublishedJourney(0, 0, "j1", 1, "open"),
        PublishedJourney(1, 0, "j2", 1, "open"),
        PublishedJourney(0, 2, "j1", 3, "closed"),
    ],
    journey_rows={"j1": (3, "closed"), "j2": (1, "open")},
    satisfaction=[PublishedScore(0, 0, "k", 70.0), PublishedScore(0, 1, "k", 75.0)],
    satisfaction_rows={"k": 75.0},
    churn_risk=[PublishedScore(1, 0, "l", "low")],
    churn_risk_rows={"l": "low"},
    letters=[DeadLetter(0, 2, b"bad")],
    quarantined=[DeadLetter(0, 2, b"bad")],
    outbox=0,
    tables={"journey": Counter(["j1", "j2"])},
    undisturbed={"journey": Counter(["j1", "j2"])},
)


def changed(number: int, **values: object) -> World:
    changes = list(GOOD.changes)
    changes[number] = changes[number]._replace(**values)  # type: ignore[arg-type]
    return replace(GOOD, changes=changes)


def booked(**values: int) -> World:
    return replace(GOOD, positions=[GOOD.positions[0]._replace(**values), GOOD.positions[1]])


TAMPERED: dict[str, tuple[World, set[str]]] = {
    "a record is dropped": (
        booked(processed=1),
        {"each accepted record is accounted for once", "each partition is accounted for"},
    ),
    "a record is counted twice": (
        booked(duplicates=2),
        {"each accepted record is accounted for once", "each partition is accounted for"},
    ),
    "a record is counted on another partition": (
        replace(GOOD, positions=[Position(0, 6, 1, 1, 1, 0), Position(1, 3, 2, 0, 0, 1)]),
        {"each partition is accounted for"},
    ),
    "an acknowledged record is not in the topic": (
        replace(GOOD, accepted=6),
        {"each accepted record is accounted for once"},
    ),
    "a record is sent on twice": (
        replace(GOOD, records=[*GOOD.records, Record(0, 5, 11.0, "1/0", b"k", b"astray")]),
        {"what is sent on arrives once", "each partition is accounted for"},
    ),
    "a record that was sent on is lost": (
        replace(GOOD, records=[record for record in GOOD.records if record.forwarded_from is None]),
        {"what is sent on arrives once", "each partition is accounted for"},
    ),
    "a record is sent on that is not in the topic": (
        replace(GOOD, records=[*GOOD.records[:3], Record(0, 5, 11.0, "7/0", b"k", b"astray"), *GOOD.records[4:]]),
        {"what is sent on arrives once"},
    ),
    "lag is left": (
        booked(next_offset=5),
        {"no lag is left"},
    ),
    "a commit is not published": (
        replace(GOOD, outbox=1),
        {"no lag is left"},
    ),
    "a position is rolled back": (
        changed(5, next_offset=2),
        {"positions never go back"},
    ),
    "a position moves without a commit": (
        changed(4, next_offset=4),
        {"positions never go back"},
    ),
    "a commit is left out": (
        changed(6, commits=3),
        {"positions never go back"},
    ),
    "an epoch goes back": (
        changed(6, epoch=0),
        {"positions never go back", "one worker owns a partition"},
    ),
    "a sum goes back": (
        changed(5, accounted=2),
        {"positions never go back"},
    ),
    "a zombie commits after its successor took the partition": (
        changed(5, by=A),
        {"one worker owns a partition"},
    ),
    "two workers own a partition at once": (
        changed(6, by=B, owner=B),
        {"one worker owns a partition"},
    ),
    "a partition is taken in another's name": (
        changed(0, by=B),
        {"one worker owns a partition"},
    ),
    "a taking commits": (
        replace(GOOD, changes=[*GOOD.changes, Change(1, 2, B, 3, 3, 2, B, 12.0)]),
        {"one worker owns a partition"},
    ),
    "a revision is published twice": (
        replace(GOOD, journeys=[*GOOD.journeys, PublishedJourney(0, 3, "j1", 3, "closed")]),
        {"revisions ascend and come once"},
    ),
    "an older revision comes after a newer one": (
        replace(GOOD, journeys=[*GOOD.journeys, PublishedJourney(0, 3, "j1", 2, "open")]),
        {"revisions ascend and come once", "the latest revision is the table"},
    ),
    "a journey is told of on two partitions": (
        replace(GOOD, journeys=[PublishedJourney(1, 5, "j1", 1, "open"), *GOOD.journeys[1:]]),
        {"revisions ascend and come once", "the latest revision is the table"},
    ),
    "the latest revision is not published": (
        replace(GOOD, journeys=GOOD.journeys[:-1]),
        {"the latest revision is the table"},
    ),
    "a journey is published that the table does not have": (
        replace(GOOD, journey_rows={"j1": (3, "closed")}),
        {"the latest revision is the table"},
    ),
    "a journey is never published": (
        replace(GOOD, journeys=[told for told in GOOD.journeys if told.journey_id != "j2"]),
        {"the latest revision is the table"},
    ),
    "a score is out of date on its topic": (
        replace(GOOD, satisfaction=GOOD.satisfaction[:1]),
        {"the latest scores are the tables"},
    ),
    "a risk is missing on its topic": (
        replace(GOOD, churn_risk=[]),
        {"the latest scores are the tables"},
    ),
    "a dead letter is missing": (
        replace(GOOD, letters=[]),
        {"each quarantined record is a dead letter once"},
    ),
    "a dead letter comes twice": (
        replace(GOOD, letters=[*GOOD.letters, *GOOD.letters]),
        {"each quarantined record is a dead letter once"},
    ),
    "a dead letter has other bytes": (
        replace(GOOD, letters=[DeadLetter(0, 2, b"worse")]),
        {"each quarantined record is a dead letter once"},
    ),
    "a row is missing that an undisturbed run has": (
        replace(GOOD, tables={"journey": Counter(["j1"])}),
        {"the tables are those of an undisturbed run"},
    ),
    "a row is there that an undisturbed run does not have": (
        replace(GOOD, tables={"journey": Counter(["j1", "j2", "j3"])}),
        {"the tables are those of an undisturbed run"},
    ),
}


def test_all_invariants_hold_where_nothing_went_wrong() -> None:
    assert {name: wrong for name, wrong in check(GOOD).items() if wrong} == {}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_is_broken_on_purpose_is_caught(what: str) -> None:
    world, violated = TAMPERED[what]
    assert {name for name, wrong in check(world).items() if wrong} == violated


@pytest.mark.parametrize("invariant", INVARIANTS, ids=title)
def test_each_invariant_is_broken_by_something_above(invariant: Callable[[World], object]) -> None:
    assert any(title(invariant) in violated for _, violated in TAMPERED.values())
