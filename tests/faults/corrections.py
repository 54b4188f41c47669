"""Corrections of what producers have told before, of each kind, beside those that the simulation sends."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from random import Random

from pipeline.touchpoint import (
    CORRECTION_KINDS,
    CUSTOMER_MERGED,
    CUSTOMER_SPLIT,
    IDENTITY_ENDED,
    IDENTITY_RETRACTED,
    MERGED_CUSTOMER,
    Touchpoint,
    named_keys,
    weaker_keys,
)

#: One touchpoint in so many is followed by a correction.
_EVERY = 150
#: The source of those that name no event of another source.
SOURCE = "corrections"
_REMEMBERED = 500


def with_corrections(told: Iterable[Touchpoint], seed: int) -> Iterator[Touchpoint]:
    """The touchpoints in their order, with corrections of some of them in between.

    An event's namings are taken back, and some of that is taken back in turn; a key is taken from its customer, or
    nobody's from now on; a customer is merged into another, and some of these are split again.
    """
    rng = Random(f"corrections {seed}")
    made = _Corrections(rng, seed)
    for touchpoint in told:
        yield touchpoint
        made.remember(touchpoint)
        if rng.random() < 1 / _EVERY and (correction := made.next(touchpoint.occurred_at + 1)) is not None:
            yield correction


class _Corrections:
    def __init__(self, rng: Random, seed: int) -> None:
        self._rng, self._seed = rng, seed
        self._naming: deque[Touchpoint] = deque(maxlen=_REMEMBERED)
        self._taken_back: deque[Touchpoint] = deque(maxlen=_REMEMBERED)
        self._merged: deque[Touchpoint] = deque(maxlen=_REMEMBERED)
        self._count = 0

    def remember(self, touchpoint: Touchpoint) -> None:
        """Take note of a touchpoint that names a customer and a weaker key."""
        if touchpoint.kind not in CORRECTION_KINDS and touchpoint.customer_id and weaker_keys(named_keys(touchpoint)):
            self._naming.append(touchpoint)

    def next(self, at: int) -> Touchpoint | None:
        """A correction of something remembered; None if there is nothing."""
        if len(self._naming) < 2:
            return None
        self._count += 1
        about, other = self._rng.sample(self._naming, 2)
        kinds = (self._retracted, self._retracted_again, self._taken, self._ended, self._merge, self._split)
        return self._rng.choice(kinds)(about, other, at)

    def _retracted(self, about: Touchpoint, _other: Touchpoint, at: int) -> Touchpoint:
        correction = self._made(IDENTITY_RETRACTED, about, at)._replace(source=about.source, subject=about.event_id)
        self._taken_back.append(correction)
        return correction

    def _retracted_again(self, about: Touchpoint, other: Touchpoint, at: int) -> Touchpoint:
        if not self._taken_back:
            return self._retracted(about, other, at)
        before = self._taken_back.popleft()
        again = self._made(IDENTITY_RETRACTED, before, at)
        return again._replace(source=before.source, subject=before.event_id)

    def _taken(self, about: Touchpoint, _other: Touchpoint, at: int) -> Touchpoint:
        return self._made(IDENTITY_RETRACTED, about, at)

    def _ended(self, about: Touchpoint, _other: Touchpoint, at: int) -> Touchpoint:
        return self._made(IDENTITY_ENDED, about, at)._replace(customer_id=None)

    def _merge(self, about: Touchpoint, other: Touchpoint, at: int) -> Touchpoint:
        if about.customer_id == other.customer_id:
            return self._taken(about, other, at)
        correction = self._named(CUSTOMER_MERGED, at, about.customer_id)
        correction = correction._replace(attributes={MERGED_CUSTOMER: str(other.customer_id)})
        self._merged.append(correction)
        return correction

    def _split(self, about: Touchpoint, other: Touchpoint, at: int) -> Touchpoint:
        if not self._merged:
            return self._merge(about, other, at)
        before = self._merged.popleft()
        return self._named(CUSTOMER_SPLIT, at, before.customer_id)._replace(subject=before.event_id)

    def _made(self, kind: str, about: Touchpoint, at: int) -> Touchpoint:
        correction = self._named(kind, at, about.customer_id)
        return correction._replace(anonymous_id=about.anonymous_id, identifiers=about.identifiers)

    def _named(self, kind: str, at: int, customer_id: str | None) -> Touchpoint:
        event_id = f"correction-{self._seed}-{self._count}"
        return Touchpoint(event_id, SOURCE, at, channel="unknown", kind=kind, customer_id=customer_id)
