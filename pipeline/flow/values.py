"""What travels through the job, named for what has been done to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple, Protocol

from pipeline.churn.reasons import Reason
from pipeline.contract.reject import Rejected
from pipeline.journey.step import Step

Headers = Sequence[tuple[str, bytes]]


class Received(Protocol):
    """A record as it came from the topic; `timestamp` is its append, in epoch milliseconds."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Headers


class Traits(NamedTuple):
    """What holds for every touchpoint of a channel, kind and stage."""

    channel: str
    kind: str
    stage: str
    catalogued: bool
    gap_ms: int
    begun_by_customer: bool
    closes_account: bool


class Answer(NamedTuple):
    """Feedback on the common scale, and the touchpoint that it judges."""

    millipoints: int
    satisfied: bool
    about: Traits


class Admitted(NamedTuple):
    """A valid touchpoint of this partition's, ready to be put into its journey; `until` is the end of its cover."""

    customer: str
    until: int
    step: Step
    traits: Traits
    answer: Answer | None


class Refused(NamedTuple):
    """A record that goes to quarantine, with what is wrong."""

    record: Received
    why: Rejected


class Forwarded(NamedTuple):
    """A record that came with the wrong key, and the right one."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class Work(NamedTuple):
    """A slice: consecutive records of a partition, at least one, and the offset after them."""

    partition: int
    records: Sequence[Received]
    end: int


class Admission(NamedTuple):
    """A slice of a partition, sorted into what is processed, refused and sent on."""

    next_offset: int
    admitted: list[Admitted]
    refused: list[Refused]
    forwarded: list[Forwarded]


class JourneyRow(NamedTuple):
    """A revision of a journey, to be committed and published. Times in epoch milliseconds."""

    journey_id: str
    customer: str
    revision: int
    status: str
    started_at: int
    ended_at: int
    covers_until: int
    touchpoints: int
    channels: Mapping[str, int]
    outcome: str
    failures: int
    abandoned: int
    begun_by_customer: bool
    steps: Sequence[Step]
    steps_omitted: int
    merged_into: str | None
    keys: bytes


class SatisfactionRow(NamedTuple):
    """A customer's satisfaction, to be committed and published."""

    customer: str
    score: float
    low: float
    high: float
    answers: float
    answered: int
    as_of: int
    weight: int
    weighted: int
    model: str


class ChurnRow(NamedTuple):
    """A customer's churn risk, to be committed and published."""

    customer: str
    probability: float
    band: str
    horizon_days: int
    as_of: int
    visits: int
    first_active_at: int
    last_active_at: int
    account_closed_at: int | None
    last_seen_at: int
    reasons: tuple[Reason, ...]
    model: str


class Batch(NamedTuple):
    """All effects of a slice: one transaction, then what is published."""

    partition: int
    next_offset: int
    watermark: int
    journeys: list[JourneyRow]
    satisfaction: list[SatisfactionRow]
    churn: list[ChurnRow]
    counts: Mapping[Traits, Sequence[int]]
    refused: list[Refused]
    forwarded: list[Forwarded]
    processed: int
    duplicates: int
    late: Mapping[str, int]
    by_channel: Mapping[str, int]
    opened: int
    closed: int
    merged: int
    open_change: int
    #: ids of journeys that have closed, and nothing else of theirs has changed since the last revision
    only_closed: Set[str] = frozenset()
