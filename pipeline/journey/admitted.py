"""An admitted touchpoint: valid, of the right partition, and ready to be put into its journey and scored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pipeline.identity.naming import NONE, EventNaming
from pipeline.journey.step import Step, StepType
from pipeline.touchpoint import OUTCOMES


class Traits:
    """What holds for every touchpoint of a channel, kind and stage, by the catalogue and the policy.

    `types` has the step's type by outcome, `trust` is that in two keys that such an event names. Equal traits can be
    there twice.
    """

    __slots__ = (
        "_hash", "begun_by_customer", "catalogued", "channel", "closes_account", "gap_ms", "kind", "stage", "trust",
        "types",
    )  # fmt: skip

    def __init__(
        self,
        *,
        channel: str,
        kind: str,
        stage: str,
        catalogued: bool,
        gap_ms: int,
        begun_by_customer: bool,
        closes_account: bool,
        trust: str = NONE,
    ) -> None:
        self.channel = channel
        self.kind = kind
        self.stage = stage
        self.catalogued = catalogued
        self.gap_ms = gap_ms
        self.begun_by_customer = begun_by_customer
        self.closes_account = closes_account
        self.trust = trust
        self.types: Mapping[str, StepType] = {outcome: StepType(channel, kind, stage, outcome) for outcome in OUTCOMES}
        self._hash = hash((channel, kind, stage))

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Traits) and self._values() == other._values())

    def __hash__(self) -> int:
        return self._hash

    def _values(self) -> tuple[object, ...]:
        return (
            self.channel, self.kind, self.stage, self.catalogued, self.gap_ms, self.begun_by_customer,
            self.closes_account, self.trust,
        )  # fmt: skip


class Answer(NamedTuple):
    """Feedback on the common scale (`scales.millipoints`), and the traits of the touchpoint that it is about."""

    millipoints: int
    is_satisfied: bool
    about: Traits


class Admitted(NamedTuple):
    """A valid touchpoint; `until` is the end of its cover (epoch milliseconds, inclusive).

    `naming` is there if it links weaker keys to its own one, `customer`.
    """

    customer: str
    until: int
    step: Step
    traits: Traits
    answer: Answer | None
    naming: EventNaming | None = None
