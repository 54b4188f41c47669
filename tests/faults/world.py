"""What is known after a run: all that the invariants are about, as plain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from faults.history import Change


class Record(NamedTuple):
    """A committed record of touchpoints.v1; `at` is its append time in epoch seconds.

    `forwarded_from` is PARTITION/OFFSET of the record that a worker sent on, None for a producer's own.
    """

    partition: int
    offset: int
    at: float
    forwarded_from: str | None
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


class PublishedJourney(NamedTuple):
    """A record of journeys.v1, in the order of offsets; `says` are its contents as the table has them.

    `touchpoints` is their number, and `status` one of open, closed, merged and moved.
    """

    partition: int
    offset: int
    journey_id: str
    revision: int
    says: Any
    status: str = "open"
    touchpoints: int = 1


class PublishedScore(NamedTuple):
    """A record of satisfaction.v1 or churn-risk.v1; `says` is None where it has no value."""

    partition: int
    offset: int
    customer: str
    says: Any


class DeadLetter(NamedTuple):
    """A dead letter: from where in touchpoints.v1 it came, and its bytes."""

    partition: int
    offset: int
    value: bytes | None


class Position(NamedTuple):
    """A row of the table `position`."""

    partition: int
    next_offset: int
    processed: int
    duplicates: int
    quarantined: int
    forwarded: int


class Told(NamedTuple):
    """A touchpoint that was accepted, once: its own key, when it was (epoch milliseconds), and its `event_key`."""

    own: str
    at: int
    event_key: bytes


class Kept(NamedTuple):
    """Where the tables have a touchpoint: in a `journey` of the customer, or as a `copy` of one that a journey has.

    `sender` is the key that has transferred it to the customer, empty for the customer's own.
    """

    customer: str
    sender: str
    told: Told
    place: str = "journey"


class Transfer(NamedTuple):
    """That a key, the `sender`, has given a touchpoint to the key that holds it."""

    holder: str
    sender: str
    told: Told


class Ownership(NamedTuple):
    """Who holds a key from `since` to `until` (inclusive, epoch milliseconds), and what else its row says."""

    since: int
    until: int
    owner: str
    says: Any = None


class PublishedOwner(NamedTuple):
    """A record of identities.v1; `at` is its append time in epoch milliseconds."""

    partition: int
    offset: int
    at: int
    key: str
    says: Ownership


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What producers, topics and tables say after a run.

    The `…_rows` are what the table says of each journey or customer; `tables` and `undisturbed` have the
    rows, as text, of the run and of one undisturbed worker over the same events.

    `corrections` are the records of each partition that were accepted as such, `touchpoints` all others. `kept` is
    where the tables have them, `transferred` what keys have given away by the tables. `unread` are records of the
    exchange topic after the positions, `waiting` what is still to be restated. `owners` has the rows of each key in
    order of time.
    """

    accepted: int
    records: Sequence[Record]
    positions: Sequence[Position]
    changes: Sequence[Change]
    journeys: Sequence[PublishedJourney]
    journey_rows: Mapping[str, tuple[int, Any]]
    satisfaction: Sequence[PublishedScore]
    satisfaction_rows: Mapping[str, Any]
    churn_risk: Sequence[PublishedScore]
    churn_risk_rows: Mapping[str, Any]
    letters: Sequence[DeadLetter]
    quarantined: Sequence[DeadLetter]
    outbox: int
    tables: Mapping[str, Counter[str]]
    undisturbed: Mapping[str, Counter[str]]
    corrections: Mapping[int, int]
    touchpoints: frozenset[Told]
    kept: Sequence[Kept]
    transferred: frozenset[Transfer]
    unread: int
    waiting: int
    owners: Mapping[str, Sequence[Ownership]]
    identities: Sequence[PublishedOwner]
