"""Taking the first touchpoints out of a journey that is too long to be loaded as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from pipeline.flow.identity_rows import OMITTED, AsideRow
from pipeline.identity.segments import Segment, holder_at
from pipeline.journey.admitted import Admitted, signs_of
from pipeline.journey.journey import Journey
from pipeline.journey.step import KEPT_EACH_END, Step

#: Number of steps that a journey leaves out from which on it is not loaded as a whole, if that can be avoided.
LONG = 10_000


def is_long(journey: Journey) -> bool:
    """Return whether a journey should not be loaded as a whole."""
    return len(journey.omitted) > LONG


def known_steps(journey: Journey, aside: Iterable[AsideRow]) -> list[Step]:
    """Return the steps of a journey, in order: those that it shows, and those that rows of its customer have."""
    omitted = {row.keys: row.step for row in aside if row.place == OMITTED and row.keys in journey.keys}
    return sorted({**omitted, **{step.key: step for step in journey.steps}}.values())


class Shortening:
    """What a journey loses up to a time (epoch milliseconds), if somebody else holds its first touchpoints by now.

    `aside` are the rows of the journey's customer of this time, `segments` say who holds them.
    """

    def __init__(
        self,
        journey: Journey,
        until: int,
        aside: Sequence[AsideRow],
        segments: Sequence[Segment],
        readmit: Callable[[str, Step], Admitted],
    ) -> None:
        self._journey, self._aside, self._readmit = journey, aside, readmit
        steps = [step for step in known_steps(journey, aside) if step.at <= until]
        self._gone = self._admitted([step for step in steps if holder_at(segments, step.at) is not None])

    @property
    def is_empty(self) -> bool:
        """Return whether the journey loses nothing."""
        return not self._gone and not self._has_copies

    @property
    def _has_copies(self) -> bool:
        """Return whether one of its touchpoints has come by another key, too, and may be replaced."""
        return any(row.place != OMITTED and row.keys in self._journey.keys for row in self._aside)

    @property
    def reach(self) -> int:
        """Return the time up to which what it loses has held it together."""
        return max([event.until for event in self._gone], default=0)

    def suffices(self, following: Sequence[AsideRow]) -> bool:
        """Return whether the rest of the journey need not be known.

        `following` are the rows of the touchpoints up to `reach`, and of more than a journey shows after that. What
        stays must still be one journey, cover the same time, and be begun by the customer, and a visit, if it was;
        otherwise all of it has to be looked at.
        """
        journey = self._journey
        if self._has_copies or journey.touchpoints - len(self._gone) < 3 * KEPT_EACH_END:
            return False
        gone = {event.step.key for event in self._gone}
        steps = [step for step in known_steps(journey, [*self._aside, *following]) if step.key not in gone]
        if steps[0].at <= self._gone[-1].step.at or self.reach >= journey.covers_until:
            return False
        rest = self._admitted(steps)
        if journey.signs != signs_of(rest):
            return False
        return _is_connected(rest, self.reach)

    def _admitted(self, steps: Sequence[Step]) -> list[Admitted]:
        return [self._readmit(self._journey.customer, step) for step in steps]


def _is_connected(events: Sequence[Admitted], reach: int) -> bool:
    """Return whether touchpoints are connected without those that cover the time up to `reach`, as they are with them.

    Of what is later, nothing has to be known.
    """
    until = events[0].until
    for event in events:
        if event.step.at > reach:
            break
        if event.step.at > until:
            return False
        until = max(until, event.until)
    return True
