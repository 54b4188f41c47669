"""A journey, and how it grows."""

from __future__ import annotations

from hashlib import blake2b

from pipeline.journey.step import KEPT_EACH_END, Step


class Journey:
    """A customer's connected touchpoints: mutable inside the core, where one is changed for every event.

    Everything but `journey_id` and `revision` is a function of the set of its touchpoints. `revision` is the last
    committed one; 0 means never. `open` follows the partition's event time (`flow.advance`), `was_open` is what the
    last revision said. `merged_into` names the journey that absorbed this one. `keys` are those of all touchpoints,
    `omitted` those of them that no step is kept of.
    """

    __slots__ = (
        "abandoned", "begun_by_customer", "changed", "channels", "covers_until", "customer", "ended_at", "failures",
        "journey_id", "keys", "merged_into", "omitted", "open", "revision", "started_at", "steps", "was_open",
    )  # fmt: skip

    def __init__(self, customer: str, journey_id: str) -> None:
        self.customer = customer
        self.journey_id = journey_id
        self.revision = 0
        self.open = True
        self.started_at = 0
        self.ended_at = 0
        self.covers_until = 0
        self.channels: dict[str, int] = {}
        self.steps: list[Step] = []
        self.keys: set[bytes] = set()
        self.omitted: list[bytes] = []
        self.failures = 0
        self.abandoned = 0
        self.begun_by_customer = False
        self.merged_into: str | None = None
        self.changed = False
        self.was_open = False

    @property
    def touchpoints(self) -> int:
        """How many touchpoints it has."""
        return len(self.keys)

    @property
    def status(self) -> str:
        """open, closed or merged."""
        if self.merged_into is not None:
            return "merged"
        return "open" if self.open else "closed"

    @property
    def outcome(self) -> str:
        """The outcome of the last kept step that has one."""
        for step in reversed(self.steps):
            if step.outcome != "none":
                return step.outcome
        return "none"

    def extend(self, steps: list[Step], until: int, begun_by_customer: bool) -> None:
        """Take in touchpoints that are not in it yet, in order, and that cover up to `until` together."""
        first, last = steps[0].at, steps[-1].at
        if not self.keys:
            self.started_at, self.ended_at, self.covers_until = first, last, until
        else:
            self.started_at = min(self.started_at, first)
            self.ended_at = max(self.ended_at, last)
            self.covers_until = max(self.covers_until, until)
        self.keys.update([step[1] for step in steps])
        channels = self.channels
        for step in steps:
            channel, outcome = step[2], step[5]
            channels[channel] = channels.get(channel, 0) + 1
            if outcome == "failed":
                self.failures += 1
            elif outcome == "abandoned":
                self.abandoned += 1
        self._take_steps(steps)
        if begun_by_customer:
            self.begun_by_customer = True

    def _take_steps(self, steps: list[Step]) -> None:
        in_order = not self.steps or steps[0] > self.steps[-1]
        self.steps += steps
        if not in_order:
            self.steps.sort()
        if len(self.steps) > 2 * KEPT_EACH_END:
            # What is neither among the first hundred nor among the last.
            middle = slice(KEPT_EACH_END, len(self.steps) - KEPT_EACH_END)
            self.omitted += [step.key for step in self.steps[middle]]
            del self.steps[middle]

    def absorb(self, other: Journey) -> None:
        """Take over all of another journey, which is left empty and merged into this one."""
        self.started_at = min(self.started_at, other.started_at)
        self.ended_at = max(self.ended_at, other.ended_at)
        self.covers_until = max(self.covers_until, other.covers_until)
        self.keys |= other.keys
        self.omitted += other.omitted
        self._take_steps(other.steps)
        for channel, count in other.channels.items():
            self.channels[channel] = self.channels.get(channel, 0) + count
        self.failures += other.failures
        self.abandoned += other.abandoned
        self.begun_by_customer |= other.begun_by_customer
        other.merged_into = self.journey_id
        other.keys, other.omitted, other.steps, other.channels = set(), [], [], {}
        other.failures = other.abandoned = 0
        other.open, other.begun_by_customer = False, False


#: The bits of an id that neither its time nor its kind (RFC 9562) takes.
_FREE = (1 << 80) - 1 & ~(0xF << 76) & ~(0b11 << 62)


def new_id(customer: str, first: Step) -> str:
    """The id of a journey that begins with this touchpoint's arrival: a UUID of version 8 that sorts by its time."""
    digest = int.from_bytes(blake2b(first.key + customer.encode(), digest_size=10).digest(), "big")
    whole = (first.at << 80) | (0x8 << 76) | (digest & _FREE) | (0b10 << 62)
    digits = f"{whole:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
