"""An admitted touchpoint: valid, of the right partition, and ready to be put into its journey and scored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pipeline.identity.naming import NONE, EventNaming
from pipeline.journey.step import Step, StepType
from pipeline.touchpoint import OUTCOMES

#: What a touchpoint, or any of a journey's, is: bits, which are joined by `|`.
BEGUN_BY_CUSTOMER, ACTIVITY = 1, 2
#: The roles of touchpoints that customers begin because something is wrong.
CONCERNS = ("help", "complain")


class Traits:
    """What holds for every touchpoint of a channel, kind and stage, by the catalogue and the policy.

    `said_by_event` is who began it, where the event says so itself. `types` has the step's type by outcome, `trust` is
    that in two keys that such an event names. `is_activity` says that the customer began it and it counts as activity;
    `signs` has both as bits. `concern` is the role of what the customer began because something is wrong: help or
    complain, else None. Equal traits can be there twice.
    """

    __slots__ = (
        "_hash", "catalogued", "channel", "concern", "gap_ms", "kind", "signs", "stage", "trust", "types",
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
        is_activity: bool,
        trust: str = NONE,
        said_by_event: str | None = None,
        concern: str | None = None,
    ) -> None:
        self.channel = channel
        self.kind = kind
        self.stage = stage
        self.catalogued = catalogued
        self.gap_ms = gap_ms
        self.signs = BEGUN_BY_CUSTOMER * begun_by_customer | ACTIVITY * is_activity
        self.trust = trust
        self.concern = concern
        self.types: Mapping[str, StepType] = {
            outcome: StepType(channel, kind, stage, outcome, said_by_event) for outcome in OUTCOMES
        }
        self._hash = hash((channel, kind, stage))

    @property
    def touchpoint(self) -> str:
        """Return the touchpoint without its stage, as CHANNEL/KIND."""
        return f"{self.channel}/{self.kind}"

    @property
    def begun_by_customer(self) -> bool:
        """Return whether the customer began it."""
        return bool(self.signs & BEGUN_BY_CUSTOMER)

    @property
    def is_activity(self) -> bool:
        """Return whether it counts as activity of the customer."""
        return bool(self.signs & ACTIVITY)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Traits) and self._values() == other._values())

    def __hash__(self) -> int:
        return self._hash

    def _values(self) -> tuple[object, ...]:
        return (
            self.channel, self.kind, self.stage, self.catalogued, self.gap_ms, self.signs, self.trust,
            self.concern,
        )  # fmt: skip


class Said(NamedTuple):
    """What a customer answered, on the instrument's own scale, and what the event is about (an order, a case)."""

    instrument: str
    score: float
    verbatim: str | None
    subject: str | None


class Answer(NamedTuple):
    """Feedback on the common scale (`scales.millipoints`), and the traits of the touchpoint that it is about.

    `is_satisfied` is None for a neutral answer. `said` is not there where the answer is known from a step alone.
    """

    millipoints: int
    is_satisfied: bool | None
    about: Traits
    said: Said | None = None

    def judged_by(self, own: Traits) -> str | None:
        """Return the touchpoint that it is about, as CHANNEL/KIND; None where that is the one that carries it."""
        about = self.about
        if about is own or (about.channel, about.kind) == (own.channel, own.kind):
            return None
        return about.touchpoint


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


def signs_of(events: Iterable[Admitted]) -> int:
    """Return the signs of any of these touchpoints."""
    signs = 0
    for event in events:
        signs |= event.traits.signs
    return signs
