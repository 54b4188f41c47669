"""Changing the touchpoints of a customer who has some by other keys, or whose own have other holders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

from pipeline.flow.identity_effects import IdentityEffects
from pipeline.flow.identity_rows import COPY, OMITTED, TRANSFERRED, AsideRow, aside_row
from pipeline.flow.long_journeys import known_steps
from pipeline.flow.sessions import mark_changed, sessionize
from pipeline.flow.state import Customer
from pipeline.identity.segments import Segment, holder_at
from pipeline.journey.admitted import Admitted, signs_of
from pipeline.journey.journey import Journey, new_journey_id
from pipeline.journey.sessionize import find_sessions
from pipeline.journey.step import Step
from pipeline.scores.protocol import CustomerChange
from pipeline.touchpoint import rank

#: Makes an admitted touchpoint of a customer's step again.
Readmit: TypeAlias = Callable[[str, Step], Admitted]


class Removed(NamedTuple):
    """A touchpoint that leaves its journey, and the key that it goes to."""

    step: Step
    to: str


class JoinedCustomer:
    """Collects changes of a customer's touchpoints, and makes them with `finish`.

    A touchpoint is in one of the customer's journeys, or in a row of `identity_touchpoint`. The same event can be there
    several times, by different keys: the copy with the strongest own key counts, then that with the smaller key.
    `aside` has the rows of all touchpoints that are concerned, and of those that long journeys leave out where one
    of their touchpoints goes. Every journey that can be concerned must be known.
    """

    def __init__(
        self,
        customer: Customer,
        segments: Sequence[Segment],
        aside: Iterable[AsideRow],
        effects: IdentityEffects,
        readmit: Readmit,
        salt: int,
    ) -> None:
        self._customer, self._segments = customer, segments
        self._effects, self._readmit, self._salt = effects, readmit, salt
        #: The rows, by the touchpoint's key.
        self._aside: dict[bytes, list[AsideRow]] = {}
        for row in aside:
            self._aside.setdefault(row.keys, []).append(row)
        #: What goes into the journeys, and what leaves them, by the touchpoint's key.
        self._added: dict[bytes, Step] = {}
        self._removed: dict[bytes, Removed] = {}

    def add(self, step: Step) -> bool:
        """Add a touchpoint, and hand it on where another key holds it; return False if it was there already."""
        if step.via is not None:
            self._customer.has_foreign = True
        shown = self._shown(step)
        if (shown is not None and shown.origin == step.origin) or self._is_aside(step):
            return False
        holder = holder_at(self._segments, step.at)
        if holder is not None:
            self._transfer(step, holder)
        elif shown is None:
            self._added[step.key] = step
        elif self._strength(step) < self._strength(shown):
            self._remove(shown, self._customer.key)
            self._put_aside(shown, COPY)
            self._added[step.key] = step
        else:
            self._put_aside(step, COPY)
        return True

    def _is_aside(self, step: Step) -> bool:
        """Return whether this very touchpoint is there already, and is not shown."""
        return any(row.place != OMITTED and row.step.origin == step.origin for row in self._aside.get(step.key, ()))

    def withdraw(self, at: int, event_key: bytes, origin: tuple[str, str]) -> None:
        """Take a touchpoint out that was transferred to the customer; it belongs to the sender's key again."""
        for row in self._aside.get(event_key, ()):
            if row.step.origin == origin and row.place != OMITTED:
                self._drop_aside(row)
                return
        shown = self._shown_of(at, event_key)
        if shown is not None and shown.origin == origin:
            self._remove(shown, origin[1])
            self._show_copy(event_key)

    def restate(self, since: int, until: int) -> None:
        """Bring touchpoints of these times (inclusive) to where they belong by now."""
        aside = [row for rows in self._aside.values() for row in rows if since <= row.at <= until]
        for step in self._shown_between(since, until):
            holder = holder_at(self._segments, step.at)
            if holder is not None:
                self._remove(step, holder)
                self._transfer(step, holder)
        for row in aside:
            if row.place != OMITTED:
                self._restate_aside(row)

    def _restate_aside(self, row: AsideRow) -> None:
        holder = holder_at(self._segments, row.at)
        if row.holder == (holder or ""):
            return
        self._drop_aside(row)
        if holder is not None:
            self._transfer(row.step, holder)
        else:
            self.add(row.step)

    def finish(self, changed: list[Journey]) -> tuple[CustomerChange | None, CustomerChange | None]:
        """Change the journeys; return what left them and what came into them."""
        removed = self._remove_all(changed) if self._removed else None
        if not self._added:
            return removed, None
        key = self._customer.key
        events = [self._readmit(key, step) for step in sorted(self._added.values())]
        return removed, sessionize(self._customer, events, changed, self._salt)

    def _remove_all(self, changed: list[Journey]) -> CustomerChange:
        journeys = self._customer.journeys
        visits = 0
        for journey in [each for each in journeys if not each.keys.isdisjoint(self._removed)]:
            steps = self._known(journey)
            kept = [step for step in steps if step.key not in self._removed]
            if len(steps) < journey.touchpoints:  # see `long_journeys.Shortening`
                journey.shorten([step for step in steps if step.key in self._removed], kept)
                mark_changed(journey, changed)
                continue
            visits -= journey.is_visit
            place = journeys.index(journey)
            if not kept:
                first = next(step for step in steps if step.key in self._removed)
                journey.move(self._removed[first.key].to)
                mark_changed(journey, changed)
                del journeys[place]
                continue
            parts = self._connected(kept)
            again = [journey, *[self._new_journey(part) for part in parts[1:]]]
            journey.clear()
            for part, target in zip(parts, again, strict=True):
                target.extend(
                    [event.step for event in part],
                    max([event.until for event in part]),
                    signs_of(part),
                )
                visits += target.is_visit
                mark_changed(target, changed)
            journeys[place : place + 1] = again
        steps = sorted([removed.step for removed in self._removed.values()])
        events = [self._readmit(self._customer.key, step) for step in steps]
        return CustomerChange(events, visits, self._customer.last_seen_at, self._customer.scores)

    def _new_journey(self, part: Sequence[Admitted]) -> Journey:
        return Journey(self._customer.key, new_journey_id(self._customer.key, part[0].step, self._salt))

    def _connected(self, steps: Sequence[Step]) -> list[list[Admitted]]:
        """Return touchpoints, in order, as those that are connected."""
        parts: list[list[Admitted]] = []
        until = 0
        for step in steps:
            event = self._readmit(self._customer.key, step)
            if not parts or step.at > until:
                parts.append([])
                until = event.until
            parts[-1].append(event)
            until = max(until, event.until)
        return parts

    def _known(self, journey: Journey) -> list[Step]:
        """Return the steps of a journey as it was before this change, in order; of a long one, those that matter."""
        if not journey.omitted:
            return journey.steps
        return known_steps(journey, [row for rows in self._aside.values() for row in rows])

    def _shown(self, step: Step) -> Step | None:
        return self._shown_of(step.at, step.key)

    def _shown_of(self, at: int, event_key: bytes) -> Step | None:
        """Return the touchpoint of this key that a journey of the customer has, or is about to have."""
        if event_key in self._added:
            return self._added[event_key]
        if event_key in self._removed:
            return None
        first, end = find_sessions(self._customer.journeys, at, at)
        for journey in self._customer.journeys[first:end]:
            if event_key in journey.keys:
                for step in journey.steps:
                    if step.key == event_key:
                        return step
                return self._omitted(event_key)
        return None

    def _omitted(self, event_key: bytes) -> Step:
        """Return a touchpoint that a long journey leaves out of its steps."""
        [step, *_] = [row.step for row in self._aside[event_key] if row.place == OMITTED]
        return step

    def _shown_between(self, since: int, until: int) -> list[Step]:
        first, end = find_sessions(self._customer.journeys, since, until)
        steps = [step for journey in self._customer.journeys[first:end] for step in self._known(journey)]
        return [step for step in steps if since <= step.at <= until and step.key not in self._removed]

    def _remove(self, step: Step, to: str) -> None:
        if self._added.pop(step.key, None) is None:
            self._removed[step.key] = Removed(step, to)
            for row in [row for row in self._aside.get(step.key, ()) if row.place == OMITTED]:
                self._drop_row(row)

    def _show_copy(self, event_key: bytes) -> None:
        """Let the strongest of the copies that are left count."""
        copies = [row for row in self._aside.get(event_key, ()) if row.place == COPY]
        if copies:
            best = min(copies, key=lambda row: self._strength(row.step))
            self._drop_aside(best)
            self._added[event_key] = best.step

    def _strength(self, step: Step) -> tuple[int, str, str]:
        """Return what copies of a touchpoint are compared by: the smallest is the one that counts."""
        own = self._own_key(step)
        return rank(own), own, step.sender or ""

    def _own_key(self, step: Step) -> str:
        return step.via or self._customer.key

    def _transfer(self, step: Step, holder: str) -> None:
        """Put a touchpoint aside and hand it on, unless the holder has got it: it may have come by several senders."""
        is_known = self._has_transferred(step, holder)
        self._put_aside(step, TRANSFERRED, holder)
        if not is_known:
            self._effects.transfer(holder, self._customer.key, step)

    def _has_transferred(self, step: Step, holder: str) -> bool:
        """Return whether the same touchpoint of the same own key is transferred to the holder."""
        return any(
            row.place == TRANSFERRED and row.holder == holder and self._own_key(row.step) == self._own_key(step)
            for row in self._aside.get(step.key, ())
        )

    def _put_aside(self, step: Step, place: str, holder: str = "") -> None:
        row = aside_row(self._customer.key, step, place, holder)
        rows = self._aside.get(step.key, ())
        others = [each for each in rows if each.step.origin != step.origin or each.place == OMITTED]
        self._aside[step.key] = [*others, row]
        self._effects.put_aside(row)
        self._customer.put_aside(step.at)

    def _drop_aside(self, row: AsideRow) -> None:
        """Delete the row of a touchpoint, and take the touchpoint back if it was transferred by this row alone."""
        self._aside[row.keys].remove(row)
        self._effects.drop_aside(row)
        if row.place == TRANSFERRED and not self._has_transferred(row.step, row.holder):
            self._effects.withdraw(row.holder, self._customer.key, row.step)

    def _drop_row(self, row: AsideRow) -> None:
        """Delete the row of a touchpoint that its journey leaves out; the change itself still needs to know it."""
        self._effects.drop_aside(row)
