"""Who has what, as one plain computation over all events: slow, and written apart from the pipeline."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from memory import ACTIVE_SCORES
from network import Event, admitted, without_origin
from worker_in_memory import CASE_RULES

from pipeline.cases.case import CaseChange, changed_case
from pipeline.cases.row import CaseRow
from pipeline.identity.policy import IdentityPolicy
from pipeline.scores.protocol import CustomerChange
from pipeline.touchpoint import rank

DAY = 86_400_000
CORRECTIONS = ("identity_retracted", "identity_ended", "customer_merged", "customer_split")


class Link(NamedTuple):
    """An event has named `key` together with `target`."""

    key: str
    target: str
    trust: str
    event: Event


class Stretch(NamedTuple):
    start: int
    end: int
    target: str
    trust: str


def order(event: Event) -> tuple[int, str, str]:
    return event.at, event.source, event.event_id


class Batch:
    """What follows from a set of events."""

    def __init__(self, events: Iterable[Event], policy: IdentityPolicy) -> None:
        every = list(dict.fromkeys(events))
        self.policy = policy
        self.touchpoints = [each for each in every if each.kind not in CORRECTIONS]
        self.corrections = self._valid([each for each in every if each.kind in CORRECTIONS])
        self.links = [
            Link(key, each.own, each.trust, each)
            for each in self.touchpoints
            for key in dict.fromkeys(each.keys)
            if rank(key) > rank(each.own) and each.trust != "none"
        ]
        self.survivor = self._survivors()
        self._stretches: dict[str, list[Stretch]] = {}
        self._shared: dict[str, list[tuple[int, int]]] = {}

    def _valid(self, corrections: list[Event]) -> list[Event]:
        valid: list[Event] = []
        for each in sorted(corrections, key=order, reverse=True):
            if not any(
                later.subject == each.event_id
                and later.source == each.source
                and order(later) > order(each)
                and (
                    later.kind == "identity_retracted"
                    or (later.kind == "customer_split" and each.kind == "customer_merged")
                )
                for later in valid
            ):
                valid.append(each)
        return valid

    def _survivors(self) -> dict[str, str]:
        merges: dict[str, Event] = {}
        for each in sorted([c for c in self.corrections if c.kind == "customer_merged"], key=order):
            assert each.other is not None
            merges[each.other] = each
        while True:
            for start in merges:
                path = [start]
                while path[-1] in merges and merges[path[-1]].own not in path:
                    path.append(merges[path[-1]].own)
                if path[-1] in merges:  # the next one is on the path: a cycle
                    cycle = path[path.index(merges[path[-1]].own) :]
                    del merges[min(cycle, key=lambda customer: order(merges[customer]))]
                    break
            else:
                break
        survivors = {}
        for customer in merges:
            end = customer
            while end in merges:
                end = merges[end].own
            survivors[customer] = end
        return survivors

    def _is_void(self, link: Link) -> bool:
        return any(
            each.kind == "identity_retracted"
            and order(each) > order(link.event)
            and (
                (each.subject == link.event.event_id and each.source == link.event.source)
                if each.subject is not None
                else (link.key in each.keys and each.own == link.target)
            )
            for each in self.corrections
        )

    def stretches(self, key: str) -> list[Stretch]:
        if key not in self._stretches:
            times: dict[tuple[str, str], list[int]] = defaultdict(list)
            for link in self.links:
                if link.key == key and not self._is_void(link):
                    times[link.target, link.trust].append(link.event.at)
            found = []
            for (target, trust), ats in times.items():
                runs: list[list[int]] = []
                for at in sorted(ats):
                    if runs and at - runs[-1][-1] <= self.policy.stretch_ms:
                        runs[-1].append(at)
                    else:
                        runs.append([at])
                found += [Stretch(run[0], run[-1], self.survivor.get(target, target), trust) for run in runs]
            self._stretches[key] = found
        return self._stretches[key]

    def _is_shared(self, key: str, at: int) -> bool:
        if len({link.target for link in self.links if link.key == key}) > 1_000:
            return True
        above = self.policy.of_type(key.partition(":")[0]).shared_above
        stretches = self.stretches(key)
        return any(
            abs(at - x.start) <= 30 * DAY
            and len({s.target for s in stretches if s.start <= x.start and s.end >= x.start - 30 * DAY}) > above
            for x in stretches
        )

    def holder(self, key: str, at: int) -> str | None:
        if key.startswith("customer:"):
            return self.survivor.get(key)
        if self._is_shared(key, at):
            return None
        rules, stretches = self.policy.of_type(key.partition(":")[0]), self.stretches(key)
        covering = [s for s in stretches if s.start <= at <= s.end]
        if covering:
            return min(covering, key=lambda s: (-s.start, -s.end, s.target, s.trust != "verified")).target
        before = [s for s in stretches if s.end < at]
        if before:
            last = min(before, key=lambda s: (-s.end, -s.start, s.target, s.trust != "verified"))
            is_ended = any(
                c.kind == "identity_ended" and key in c.keys and last.end <= c.at <= at for c in self.corrections
            )
            if not is_ended and (rules.hold_ms is None or at - last.end <= rules.hold_ms):
                return last.target
        after = [s for s in stretches if s.start > at]
        if after:
            first = min(after, key=lambda s: (s.start, -s.end, s.target, s.trust != "verified"))
            if first.trust == "verified" and (rules.lookback_ms is None or first.start - at <= rules.lookback_ms):
                return first.target
        return None

    def owner(self, event: Event) -> str:
        key = event.own
        while (holder := self.holder(key, event.at)) is not None:
            key = holder
        return key

    def owned(self) -> dict[str, list[Event]]:
        """Return each owner's touchpoints in order of time, of copies the one that counts."""
        by_owner: dict[str, dict[bytes, Event]] = defaultdict(dict)
        for event in self.touchpoints:
            owned = by_owner[self.owner(event)]
            other = owned.get(event.touchpoint)
            if other is None or (rank(event.own), event.own) < (rank(other.own), other.own):
                owned[event.touchpoint] = event
        return {
            owner: sorted(events.values(), key=lambda e: (e.at, e.sequence, e.touchpoint))
            for owner, events in by_owner.items()
        }

    def journeys(self) -> set[tuple[Any, ...]]:
        """Return owner, start, end, and the touchpoints with their own keys, of each journey."""
        return {
            (owner, run[0].at, run[-1].at, tuple((e.touchpoint, None if e.own == owner else e.own) for e in run))
            for owner, events in self.owned().items()
            for run in _runs(events)
        }

    def cases(self) -> dict[tuple[str, str], CaseRow]:
        """Return each owner's cases, by what they are about."""
        found = {}
        for owner, events in self.owned().items():
            for subject in {event.case for event in events} - {None}:
                assert subject is not None
                steps = [admitted(event).step for event in events if event.case == subject]
                row = changed_case(None, CaseChange(owner, subject, steps), CASE_RULES)
                assert row is not None
                found[owner, subject] = without_origin(row)
        return found

    def scores(self) -> dict[str, dict[str, Any]]:
        """Return the state of each score by owner, but for the moment that it was last published for."""
        found: dict[str, dict[str, Any]] = {active.name: {} for active in ACTIVE_SCORES}
        for owner, events in self.owned().items():
            runs = _runs(events)
            visits = sum(any(admitted(e).traits.is_activity for e in run) for run in runs)
            own: dict[str, Any] = {}
            change = CustomerChange([admitted(e) for e in events], visits, events[-1].at, own)
            for active in ACTIVE_SCORES:
                state = active.score.fold(None, change, active.model)
                if state is not None:
                    own[active.name] = found[active.name][owner] = state
        return found


def _runs(events: Sequence[Event]) -> list[list[Event]]:
    runs: list[list[Event]] = []
    until = 0
    for event in events:
        if not runs or event.at > until:
            runs.append([])
            until = 0
        runs[-1].append(event)
        until = max(until, admitted(event).until)
    return runs
