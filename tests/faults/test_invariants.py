"""Each invariant of the fault gate holds in a world where nothing went wrong, and fails where one thing did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from faults.history import Change
from faults.invariants import INVARIANTS, check, title
from faults.world import (
    DeadLetter,
    Kept,
    Ownership,
    Position,
    PublishedJourney,
    PublishedOwner,
    PublishedScore,
    Record,
    Told,
    Transfer,
    World,
)

A, B = "worker-a", "worker-b"

COOKIE, ANN = "anonymous:cookie", "customer:ann"
ONE, ASTRAY, TWO = Told(COOKIE, 100, b"one"), Told(ANN, 200, b"astray"), Told(ANN, 300, b"two")
TO_ANN = Transfer(ANN, COOKIE, ONE)
HELD, ENDED = Ownership(0, 999, ANN, "named"), Ownership(1_000, 9_999, COOKIE, "nobody")

#: Partition 0: two processed (one of them sent on from 1), a duplicate, one quarantined, a correction. Partition 1: one
#: processed.
GOOD = World(
    accepted=6,
    records=[
        Record(0, 0, 10.0, None, b"k", b"one"),
        Record(0, 1, 10.1, None, b"k", b"one"),
        Record(0, 2, 10.2, None, b"k", b"bad"),
        Record(0, 4, 10.2, None, b"k", b"merged"),
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
        PublishedJourney(0, 2, "j1", 3, "closed", "closed"),
        PublishedJourney(1, 1, "j3", 1, "open"),
        PublishedJourney(1, 2, "j3", 2, "moved", "moved", 0),
    ],
    journey_rows={"j1": (3, "closed"), "j2": (1, "open"), "j3": (2, "moved")},
    satisfaction=[
        PublishedScore(0, 0, "k", 70.0),
        PublishedScore(0, 1, "k", 75.0),
        PublishedScore(0, 2, "gone", 70.0),
        PublishedScore(0, 3, "gone", None),
    ],
    satisfaction_rows={"k": 75.0},
    churn_risk=[PublishedScore(1, 0, "l", "low")],
    churn_risk_rows={"l": "low"},
    letters=[DeadLetter(0, 2, b"bad")],
    quarantined=[DeadLetter(0, 2, b"bad")],
    outbox=0,
    tables={"journey": Counter(["j1", "j2"])},
    undisturbed={"journey": Counter(["j1", "j2"])},
    corrections={0: 1},
    touchpoints=frozenset({ONE, ASTRAY, TWO}),
    kept=[Kept(ANN, COOKIE, ONE), Kept(ANN, "", ASTRAY), Kept(ANN, "", TWO)],
    transferred=frozenset({TO_ANN}),
    unread=0,
    waiting=0,
    owners={COOKIE: [HELD, ENDED]},
    identities=[PublishedOwner(0, 0, 5_000, COOKIE, ENDED), PublishedOwner(0, 1, 5_000, COOKIE, ENDED)],
)

PLACED = "each touchpoint is in one journey of its owner"
PASSED = "what keys have given is at the holders"
TELL = "identities tell who holds each key"


def changed(number: int, **values: object) -> World:
    changes = list(GOOD.changes)
    changes[number] = changes[number]._replace(**values)  # type: ignore[arg-type]
    return replace(GOOD, changes=changes)


def copied(of_cookie: str, of_card: str) -> World:
    """Ann's card has the cookie's touchpoint, too: a stronger copy."""
    card = Told("loyalty:card", 100, b"one")
    given = Transfer(ANN, card.own, card)
    return replace(
        GOOD,
        positions=[GOOD.positions[0]._replace(processed=3, duplicates=0), GOOD.positions[1]],
        touchpoints=GOOD.touchpoints | {card},
        kept=[Kept(ANN, COOKIE, ONE, of_cookie), Kept(ANN, card.own, card, of_card), *GOOD.kept[1:]],
        transferred=frozenset({TO_ANN, given}),
        owners={**GOOD.owners, card.own: [HELD]},
        identities=[*GOOD.identities, PublishedOwner(0, 2, 500, card.own, HELD)],
    )


def booked(**values: int) -> World:
    return replace(GOOD, positions=[GOOD.positions[0]._replace(**values), GOOD.positions[1]])


TAMPERED: dict[str, tuple[World, set[str]]] = {
    "a record is dropped": (
        booked(processed=1),
        {"each accepted record is accounted for once", "each partition is accounted for", PLACED},
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
        replace(GOOD, accepted=7),
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
        replace(GOOD, records=[*GOOD.records[:4], Record(0, 5, 11.0, "7/0", b"k", b"astray"), *GOOD.records[5:]]),
        {"what is sent on arrives once"},
    ),
    "a correction is not counted": (
        replace(GOOD, corrections={}),
        {"each accepted record is accounted for once", "each partition is accounted for"},
    ),
    "records of the exchange topic are not read": (
        replace(GOOD, unread=1),
        {"no lag is left"},
    ),
    "a key is still to be restated": (
        replace(GOOD, waiting=1),
        {"no lag is left"},
    ),
    "a touchpoint is in no journey": (
        replace(GOOD, kept=GOOD.kept[:-1]),
        {PLACED},
    ),
    "a touchpoint is in two journeys": (
        replace(GOOD, kept=[*GOOD.kept, Kept("customer:tom", "", TWO)]),
        {PLACED},
    ),
    "a touchpoint is in a journey that nobody told of": (
        replace(GOOD, kept=[*GOOD.kept, Kept(ANN, "", Told(ANN, 400, b"three"))]),
        {PLACED},
    ),
    "a touchpoint is with somebody who is not its owner": (
        replace(GOOD, kept=[Kept("customer:tom", COOKIE, ONE), *GOOD.kept[1:]]),
        {PLACED, PASSED},
    ),
    "a touchpoint stays with a key that somebody holds": (
        replace(GOOD, kept=[Kept(COOKIE, "", ONE), *GOOD.kept[1:]]),
        {PLACED, PASSED},
    ),
    "of two copies of an event both count": (
        copied("journey", "journey"),
        {PLACED},
    ),
    "of two copies of an event the weaker counts": (
        copied("journey", "copy"),
        {PLACED},
    ),
    "of two copies of an event none counts": (
        copied("copy", "copy"),
        {PLACED},
    ),
    "keys hold each other": (
        replace(GOOD, owners={**GOOD.owners, ANN: [Ownership(0, 9_999, COOKIE, "merged")]}),
        {PLACED, TELL},
    ),
    "a withdrawal is lost": (
        replace(GOOD, kept=[*GOOD.kept, Kept("customer:tom", COOKIE, ONE)]),
        {PASSED, PLACED},
    ),
    "a transfer is lost on its way": (
        replace(GOOD, kept=GOOD.kept[1:]),
        {PASSED, PLACED},
    ),
    "a key does not know what it has given away": (
        replace(GOOD, transferred=frozenset()),
        {PASSED},
    ),
    "a key has given away what nobody has got": (
        replace(GOOD, transferred=frozenset({TO_ANN, Transfer(ANN, COOKIE, TWO)})),
        {PASSED},
    ),
    "who holds a key is out of date on its topic": (
        replace(GOOD, identities=[GOOD.identities[0]._replace(says=HELD)]),
        {TELL},
    ),
    "who holds a key is not on the topic": (
        replace(GOOD, identities=[]),
        {TELL},
    ),
    "who holds a key is on the topic, and not in the table": (
        replace(GOOD, identities=[*GOOD.identities, GOOD.identities[0]._replace(key="phone:1")]),
        {TELL},
    ),
    "a journey that has moved comes back": (
        replace(
            GOOD,
            journeys=[*GOOD.journeys, PublishedJourney(1, 3, "j3", 3, "open")],
            journey_rows={**GOOD.journey_rows, "j3": (3, "open")},
        ),
        {"what has ended stays so"},
    ),
    "a journey that has moved keeps a touchpoint": (
        replace(GOOD, journeys=[*GOOD.journeys[:-1], GOOD.journeys[-1]._replace(touchpoints=1)]),
        {"what has ended stays so"},
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
        replace(GOOD, journeys=[*GOOD.journeys[:2], *GOOD.journeys[3:]]),
        {"the latest revision is the table"},
    ),
    "a journey is published that the table does not have": (
        replace(GOOD, journey_rows={"j1": (3, "closed"), "j3": (2, "moved")}),
        {"the latest revision is the table"},
    ),
    "a journey is never published": (
        replace(GOOD, journeys=[told for told in GOOD.journeys if told.journey_id != "j2"]),
        {"the latest revision is the table"},
    ),
    "a score is published that the table does not have": (
        replace(GOOD, satisfaction=GOOD.satisfaction[:-1]),
        {"the latest scores are the tables"},
    ),
    "a score is out of date on its topic": (
        replace(GOOD, satisfaction=[GOOD.satisfaction[0], *GOOD.satisfaction[2:]]),
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


def test_the_stronger_of_two_copies_counts() -> None:
    assert {name: wrong for name, wrong in check(copied("copy", "journey")).items() if wrong} == {}


def test_what_a_holder_has_given_on_is_no_longer_there() -> None:
    merged = Transfer("customer:ann-2", ANN, ONE)
    by_ann = [Transfer("customer:ann-2", ANN, told) for told in (ASTRAY, TWO)]
    world = replace(
        GOOD,
        kept=[Kept("customer:ann-2", ANN, told) for told in (ONE, ASTRAY, TWO)],
        transferred=frozenset({TO_ANN, merged, *by_ann}),
        owners={**GOOD.owners, ANN: [Ownership(0, 9_999, "customer:ann-2", "merged")]},
        identities=[*GOOD.identities, PublishedOwner(0, 2, 500, ANN, Ownership(0, 9_999, "customer:ann-2", "merged"))],
    )
    assert {name: wrong for name, wrong in check(world).items() if wrong} == {}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_is_broken_on_purpose_is_caught(what: str) -> None:
    world, violated = TAMPERED[what]
    assert {name for name, wrong in check(world).items() if wrong} == violated


@pytest.mark.parametrize("invariant", INVARIANTS, ids=title)
def test_each_invariant_is_broken_by_something_above(invariant: Callable[[World], object]) -> None:
    assert any(title(invariant) in violated for _, violated in TAMPERED.values())
