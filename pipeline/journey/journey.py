"""A journey, and how it grows."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from pipeline.journey.admitted import ACTIVITY, BEGUN_BY_CUSTOMER
from pipeline.journey.row import JourneyRow
from pipeline.journey.step import KEPT_EACH_END, Step
from pipeline.journey.steps import Steps


class Journey:
    """A customer's connected touchpoints; mutable inside the core, since every event changes one.

    Everything but `journey_id` and `revision` is a function of the set of its touchpoints. `revision` is the last
    committed one; 0 means none. `is_open` follows the partition's event time (`flow.watermark`); `was_open` is what
    the last revision said. `merged_into` names the journey that absorbed this one, `moved_to` the key that has its
    touchpoints now. `keys` are those of all touchpoints, `omitted` those of them whose step is not kept, and `dropped`
    the steps that went since the last revision. `signs` are those of any of its touchpoints. `is_changed` says that the
    next revision is due.
    """

    __slots__ = (
        "_snapshot", "abandoned", "channels", "covers_until", "customer", "dropped", "ended_at",
        "failures", "is_changed", "is_open", "journey_id", "keys", "merged_into", "moved_to", "omitted", "revision",
        "signs", "started_at", "steps", "was_open",
    )  # fmt: skip

    def __init__(self, customer: str, journey_id: str) -> None:
        self.customer = customer
        self.journey_id = journey_id
        self.revision = 0
        self.is_open = True
        self.started_at = 0
        self.ended_at = 0
        self.covers_until = 0
        self.channels: dict[str, int] = {}
        self.steps: list[Step] = []
        self.keys: set[bytes] = set()
        self.omitted: list[bytes] = []
        self.dropped: list[Step] = []
        self.failures = 0
        self.abandoned = 0
        self.signs = 0
        self.merged_into: str | None = None
        self.moved_to: str | None = None
        self.is_changed = False
        self.was_open = False
        #: The steps of the last revision, as long as the present ones begin with them and the journey is open.
        self._snapshot: Steps | None = None

    @property
    def touchpoints(self) -> int:
        """Return the number of its touchpoints."""
        return len(self.keys)

    @property
    def begun_by_customer(self) -> bool:
        """Return whether the customer began one of its touchpoints."""
        return bool(self.signs & BEGUN_BY_CUSTOMER)

    @property
    def is_visit(self) -> bool:
        """Return whether one of its touchpoints counts as activity of the customer."""
        return bool(self.signs & ACTIVITY)

    @property
    def status(self) -> str:
        """Return open, closed, merged or moved."""
        if self.merged_into is not None:
            return "merged"
        if self.moved_to is not None:
            return "moved"
        return "open" if self.is_open else "closed"

    @property
    def outcome(self) -> str:
        """Return the outcome of the last kept step that has one."""
        for step in reversed(self.steps):
            if step.type.outcome != "none":
                return step.type.outcome
        return "none"

    def extend(self, steps: list[Step], until: int, signs: int) -> None:
        """Add touchpoints that are not in it yet, in order; together they cover the time up to `until`.

        `signs` are those of any of them.
        """
        first, last = steps[0].at, steps[-1].at
        if not self.keys:
            self.started_at, self.ended_at, self.covers_until = first, last, until
        else:
            self.started_at = min(self.started_at, first)
            self.ended_at = max(self.ended_at, last)
            self.covers_until = max(self.covers_until, until)
        self.keys.update([step.key for step in steps])
        channels = self.channels
        for step in steps:
            step_type = step.type
            channel, outcome = step_type.channel, step_type.outcome
            channels[channel] = channels.get(channel, 0) + 1
            if outcome == "failed":
                self.failures += 1
            elif outcome == "abandoned":
                self.abandoned += 1
        self._add_steps(steps)
        self.signs |= signs

    def absorb(self, other: Journey) -> None:
        """Take over everything of another journey, which becomes empty and merged into this one."""
        self.started_at = min(self.started_at, other.started_at)
        self.ended_at = max(self.ended_at, other.ended_at)
        self.covers_until = max(self.covers_until, other.covers_until)
        self.keys |= other.keys
        self.omitted += other.omitted
        self._add_steps(other.steps)
        for channel, count in other.channels.items():
            self.channels[channel] = self.channels.get(channel, 0) + count
        self.failures += other.failures
        self.abandoned += other.abandoned
        self.signs |= other.signs
        self.dropped += other.dropped
        other.merged_into = self.journey_id
        other.clear()
        other.is_open = False

    def shorten(self, gone: Sequence[Step], rest: Sequence[Step]) -> None:
        """Take the first touchpoints out; `rest`, in order, are those that come next, at least as many as are shown.

        It must be known that they still make one journey; see `flow.long_journeys`.
        """
        for step in gone:
            self.channels[step.type.channel] -= 1
            self.failures -= step.type.outcome == "failed"
            self.abandoned -= step.type.outcome == "abandoned"
        self.channels = {channel: count for channel, count in self.channels.items() if count}
        self.started_at = rest[0].at
        self.steps = [*rest[:KEPT_EACH_END], *self.steps[-KEPT_EACH_END:]]
        self.keys.difference_update([step.key for step in gone])
        shown = {step.key for step in self.steps}
        self.omitted = [key for key in self.omitted if key in self.keys and key not in shown]
        self._snapshot = None

    def move(self, to: str) -> None:
        """Let go of all touchpoints, which belong to another key now."""
        self.moved_to = to
        self.clear()
        self.is_open = False

    def clear(self) -> None:
        """Take all touchpoints out; `extend` puts others in."""
        self.keys, self.omitted, self.dropped, self.steps, self.channels = set(), [], [], [], {}
        self._snapshot = None
        self.failures = self.abandoned = 0
        self.signs = 0

    def _add_steps(self, steps: list[Step]) -> None:
        is_in_order = not self.steps or steps[0] > self.steps[-1]
        self.steps += steps
        if not is_in_order:
            self.steps.sort()
            self._snapshot = None
        if len(self.steps) > 2 * KEPT_EACH_END:
            # Keep the first hundred and the last hundred.
            middle = slice(KEPT_EACH_END, len(self.steps) - KEPT_EACH_END)
            dropped = self.steps[middle]
            self.omitted += [step.key for step in dropped]
            self.dropped += dropped
            del self.steps[middle]
            self._snapshot = None

    def row(self) -> JourneyRow:
        """Return the journey as the row of its present revision."""
        steps = self._current_steps()
        keys = b"".join([step.key for step in self.steps])
        if self.omitted:
            # Those sorted for the last revision are sorted again quickly; a journey can have a million of them.
            self.omitted.sort()
            keys += b"".join(self.omitted)
        return JourneyRow(
            journey_id=self.journey_id,
            revision=self.revision,
            status=self.status,
            customer=self.customer,
            started_at=self.started_at,
            ended_at=self.ended_at,
            covers_until=self.covers_until,
            touchpoints=len(self.keys),
            channels=dict(self.channels),
            outcome=self.outcome,
            failures=self.failures,
            abandoned=self.abandoned,
            begun_by_customer=self.begun_by_customer,
            steps=steps,
            steps_omitted=len(self.omitted),
            merged_into=self.merged_into,
            moved_to=self.moved_to,
            is_visit=self.is_visit,
            keys=keys,
        )

    def _current_steps(self) -> Steps:
        """Return the steps as a value; what is written of them is kept while the journey is open."""
        steps = self._snapshot
        if steps is None or len(steps.items) != len(self.steps):
            steps = Steps(self.steps, steps)
        self._snapshot = steps if self.is_open else None
        return steps


#: The bits of an id that are taken neither by its time nor by its version and variant (RFC 9562).
_FREE = (1 << 80) - 1 & ~(0xF << 76) & ~(0b11 << 62)


def new_journey_id(customer: str, first: Step, salt: int = 0) -> str:
    """Return the id of a journey that this touchpoint opens: a UUID of version 8 that sorts by its time.

    `salt` tells it from another journey of the customer that the same touchpoint opened, and that has ended as moved.
    """
    named = first.key + customer.encode() + (b"\0%d" % salt if salt else b"")
    digest = int.from_bytes(blake2b(named, digest_size=10).digest(), "big")
    number = (first.at << 80) | (0x8 << 76) | (digest & _FREE) | (0b10 << 62)
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
