"""The future touchpoints of a simulation, in order of time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from heapq import heappop, heappush
from random import Random

from pipeline.simulate.people import Person
from pipeline.touchpoint import NO_ATTRIBUTES, Feedback, Touchpoint

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000

_SOURCES = {"web": "web-shop", "email": "mailer", "call_centre": "pbx", "branch": "branch-queue", "unknown": "crm"}


class Story:
    """Collects touchpoints; `run` goes into every event_id, so that two simulations never share one.

    Touchpoints after `end_ms` are dropped. `told` counts the collected ones.
    """

    def __init__(self, rng: Random, run: str, end_ms: int) -> None:
        self.rng = rng
        self.told = 0
        self._run = run
        self._end_ms = end_ms
        self._subjects = 0
        self._ahead: list[tuple[int, int, Touchpoint, Person]] = []

    def add(
        self,
        person: Person,
        at: int,
        channel: str,
        kind: str,
        outcome: str = "none",
        wait_ms: int | None = None,
        duration_ms: int | None = None,
        *,
        feedback: Feedback | None = None,
        amount_minor: int | None = None,
        subject: str | None = None,
        attributes: Mapping[str, str] = NO_ATTRIBUTES,
    ) -> None:
        """Add a touchpoint of `person` at `at` (epoch milliseconds); amounts are euro cents."""
        if at > self._end_ms:
            return
        self.told += 1
        touchpoint = Touchpoint(
            f"{self._run}-{self.told:x}", _SOURCES[channel], at, None, channel, kind, None,
            person.customer_id, person.anonymous_id, person.identifiers, outcome, wait_ms, duration_ms, feedback,
            amount_minor, None if amount_minor is None else "EUR", subject, attributes,
        )  # fmt: skip
        heappush(self._ahead, (at, self.told, touchpoint, person))

    def subject(self, prefix: str) -> str:
        """Return a new order, case or ticket."""
        self._subjects += 1
        return f"{prefix}-{self._run}-{self._subjects:x}"

    def until(self, moment: int) -> Iterator[tuple[Person, Touchpoint]]:
        """Remove and yield the touchpoints up to `moment`, and whose they are, in order of time.

        What is added in the meantime is among them.
        """
        ahead = self._ahead
        while ahead and ahead[0][0] <= moment:
            _, _, touchpoint, person = heappop(ahead)
            yield person, touchpoint
