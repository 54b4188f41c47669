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
    """A record of journeys.v1, in the order of offsets; `says` are its contents as the table has them."""

    partition: int
    offset: int
    journey_id: str
    revision: int
    says: Any


class PublishedScore(NamedTuple):
    """A record of satisfaction.v1 or churn-risk.v1."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What producers, topics and tables say after a run.

    The `…_rows` are what the table says of each journey or customer; `tables` and `undisturbed` have the
    rows, as text, of the run and of one undisturbed worker over the same events.
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
