"""A step of a journey: what happened, where, and when."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

#: Number of steps that are kept at each end of a long journey; counts and duplicates go by all touchpoints.
KEPT_EACH_END = 100
#: Length of a step's key.
KEY_BYTES = 8


class StepType(NamedTuple):
    """What a step is. Steps that agree in all of it share one object where this is easy to have.

    `begun_by` is there only where the event says who began the contact, and not the catalogue.
    """

    channel: str
    kind: str
    stage: str
    outcome: str
    begun_by: str | None = None


class Measures(NamedTuple):
    """What was measured at a touchpoint; at least one field is not None.

    `score` is 0 to 100. `about` names the touchpoint (CHANNEL/KIND) that it judges, where that is not the step's own.
    `late_ms` is by how much it came later than it was due, negative where it came earlier.
    """

    wait_ms: int | None = None
    duration_ms: int | None = None
    score: float | None = None
    amount_minor: int | None = None
    currency: str | None = None
    late_ms: int | None = None
    about: str | None = None


#: The values of `Measures` where nothing was measured.
NOT_MEASURED = (None,) * len(Measures._fields)


class Step(NamedTuple):
    """One touchpoint of a journey.

    Steps sort by time (epoch milliseconds), then by the source's `sequence` (0 where it names none), then by key: their
    order does not depend on their arrival. `measures` is None where nothing was measured. `via` is the touchpoint's own
    key where that is not the customer's, and `sender` the key that has transferred it to the customer where that is not
    `via`. `subject` is the order, case or ticket that it is about (`touchpoint.case_subject`).
    """

    at: int
    sequence: int
    key: bytes
    type: StepType
    measures: Measures | None = None
    via: str | None = None
    sender: str | None = None
    subject: str | None = None

    @property
    def place(self) -> tuple[int, int, bytes]:
        """Return what steps sort by."""
        return self.at, self.sequence, self.key

    @property
    def origin(self) -> tuple[str, str]:
        """Return the own key and the sender, which tell copies of a touchpoint apart; empty for the customer's own."""
        return self.via or "", self.sender or self.via or ""

    # `_replace` takes several times as long, and these are called for each touchpoint that has another holder.

    def with_type(self, type: StepType) -> Step:
        """Return the step with another type."""
        at, sequence, key, _, measures, via, sender, subject = self
        return Step(at, sequence, key, type, measures, via, sender, subject)

    def with_via(self, via: str) -> Step:
        """Return the step with another own key."""
        at, sequence, key, type, measures, _, sender, subject = self
        return Step(at, sequence, key, type, measures, via, sender, subject)


def measured(
    wait_ms: int | None = None,
    duration_ms: int | None = None,
    score: float | None = None,
    amount_minor: int | None = None,
    currency: str | None = None,
    late_ms: int | None = None,
    about: str | None = None,
) -> Measures | None:
    """Return the measures, or None if there are none.

    A currency never comes without an amount, nor `about` without a score.
    """
    if wait_ms is None and duration_ms is None and score is None and amount_minor is None and late_ms is None:
        return None
    return Measures(wait_ms, duration_ms, score, amount_minor, currency, late_ms, about)


def event_key(source: str, event_id: str, occurred_at: int) -> bytes:
    """Return what identifies a touchpoint: eight bytes of BLAKE2b over source, event_id and time.

    Keys are compared within one customer's journeys only, so that a collision needs two of their touchpoints to agree
    in 64 bits: for a million touchpoints a chance of 3 in 100 million.
    """
    [key] = event_keys([source.encode()], [event_id.encode()], [occurred_at])
    return key


def event_keys(sources: Iterable[bytes], event_ids: Iterable[bytes], occurred_at: Iterable[int]) -> list[bytes]:
    """Return the keys of many touchpoints; texts are UTF-8."""
    return [
        blake2b(b"%b\0%b\0%d" % named, digest_size=KEY_BYTES).digest()
        for named in zip(sources, event_ids, occurred_at, strict=True)
    ]
