"""From a case's touchpoints to its row, and how touchpoints that come and go change it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

from pipeline.cases.row import CLOSED, MOVED, OPEN, OVERFULL, CaseRow, StageReached
from pipeline.cases.rules import CaseRules, StepTraits
from pipeline.cases.types import UNKNOWN, CaseType
from pipeline.journey.step import Step
from pipeline.journey.steps import Steps

#: Number of touchpoints up to which they are listed. A case with more is overfull: they are counted only.
MAX_LISTED = 1_000

_NO_STEPS = Steps(())


class CaseChange(NamedTuple):
    """Touchpoints of a customer that name a subject: those that came, and those that went. The last ones went first."""

    customer: str
    subject: str
    added: Sequence[Step]
    removed: Sequence[Step] = ()


def must_be_listed(before: CaseRow | None, change: CaseChange) -> bool:
    """Return whether an overfull case has so few touchpoints after a change that they are needed."""
    return (
        before is not None
        and before.status == OVERFULL
        and before.touchpoints + len(change.added) - len(change.removed) <= MAX_LISTED
    )


def changed_case(before: CaseRow | None, change: CaseChange, rules: CaseRules) -> CaseRow | None:
    """Return the next revision of a case; None where nothing changes.

    If it `must_be_listed`, `before` must be the row with the steps of all touchpoints.
    """
    if before is not None and before.status == OVERFULL and not must_be_listed(before, change):
        return _overfull(before, change.customer, change.subject, _counted(before.channels, change))
    listed = () if before is None else before.steps.items
    gone = {step.key for step in change.removed}
    steps = sorted([*[step for step in listed if step.key not in gone], *change.added])
    if before is not None and before.status != OVERFULL and tuple(steps) == listed:
        return None
    if len(steps) > MAX_LISTED:
        return _overfull(before, change.customer, change.subject, _channels(steps))
    return case_of(change.customer, change.subject, steps, rules, _next(before))


def with_steps(row: CaseRow, steps: Sequence[Step]) -> CaseRow:
    """Return the row of an overfull case with all of its touchpoints."""
    return row._replace(steps=Steps(sorted(steps)))


def case_of(customer: str, subject: str, steps: Sequence[Step], rules: CaseRules, revision: int = 1) -> CaseRow:
    """Return the row of a case with these touchpoints, in order."""
    if not steps:
        return _row(customer, subject, revision, MOVED, {})
    traits = [rules.traits(step.type) for step in steps]
    case_type = rules.type_of(traits)
    contacts, repeats, starts = _contacts(steps, traits, rules.contact_gap_ms)
    course = _course(steps, traits, starts, case_type)
    measures = _measures(steps)
    due_at = _due_at(steps, course.first_closed)
    return CaseRow(
        customer=customer,
        subject=subject,
        revision=revision,
        type=case_type.name,
        status=OPEN if course.closed_at is None else CLOSED,
        opened_at=steps[0].at,
        last_at=steps[-1].at,
        closed_at=course.closed_at,
        closes_at=_closes_at(steps[-1].at, course, case_type),
        due_at=due_at,
        late_ms=None if due_at is None or course.first_closed is None else steps[course.first_closed].at - due_at,
        touchpoints=len(steps),
        contacts=contacts,
        repeats=repeats,
        hand_overs=sum([each.is_hand_over for each in traits]),
        reopened=course.reopened,
        first_channel=steps[0].type.channel,
        channels=_channels(steps),
        stages=course.stages,
        waits=measures.waits,
        wait_ms=measures.wait_ms,
        outcome=_outcome(steps),
        answers=measures.answers,
        satisfaction=measures.millipoints / measures.answers / 1000 if measures.answers else None,
        steps=Steps(steps),
        keys=b"".join([step.key for step in steps]),
    )


def _channels(steps: Sequence[Step]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for step in steps:
        channel = step.type.channel
        counts[channel] = counts.get(channel, 0) + 1
    return counts


def _outcome(steps: Sequence[Step]) -> str:
    for step in reversed(steps):
        if step.type.outcome != "none":
            return step.type.outcome
    return "none"


class _Measures(NamedTuple):
    """Sums over touchpoints."""

    waits: int
    wait_ms: int
    answers: int
    millipoints: int


def _measures(steps: Sequence[Step]) -> _Measures:
    waits = wait_ms = answers = millipoints = 0
    for step in steps:
        measures = step.measures
        if measures is None:
            continue
        if measures.wait_ms is not None:
            waits += 1
            wait_ms += measures.wait_ms
        if measures.score is not None:
            answers += 1
            millipoints += round(measures.score * 1000)
    return _Measures(waits, wait_ms, answers, millipoints)


class _Course(NamedTuple):
    """The course of a case: stages in the order of being reached, how often it was taken up again, and its end.

    `first_closed` is the place of the touchpoint that first closed it.
    """

    stages: tuple[StageReached, ...]
    reopened: int
    closed_at: int | None
    first_closed: int | None


def _course(steps: Sequence[Step], traits: Sequence[StepTraits], starts: Set[int], case_type: CaseType) -> _Course:
    stages: dict[str, int] = {}
    reopened = 0
    closed_at = first_closed = None
    for place, step in enumerate(steps):
        stage = case_type.stages.get(step.type.kind)
        if stage is not None:
            stages.setdefault(stage, step.at)
        if stage in case_type.closed_by:
            if closed_at is None:
                closed_at = step.at
            if first_closed is None:
                first_closed = place
        elif closed_at is not None and (
            stage in case_type.reopened_by or (place in starts and traits[place].is_concern)
        ):
            closed_at = None
            reopened += 1
    return _Course(tuple([StageReached(*each) for each in stages.items()]), reopened, closed_at, first_closed)


def _contacts(steps: Sequence[Step], traits: Sequence[StepTraits], gap_ms: int) -> tuple[int, int, Set[int]]:
    """Return the number of the customer's contacts, of those that began as an earlier one did, and where they began.

    `gap_ms` is the longest pause within a contact.
    """
    starts: set[int] = set()
    seen: set[tuple[str, str]] = set()
    repeats = 0
    before: Step | None = None
    for place, step in enumerate(steps):
        if not traits[place].is_contact:
            continue
        channel, kind = step.type.channel, step.type.kind
        if before is None or before.type.channel != channel or step.at - before.at > gap_ms:
            starts.add(place)
            repeats += (channel, kind) in seen
            seen.add((channel, kind))
        before = step
    return len(starts), repeats, starts


def _due_at(steps: Sequence[Step], first_closed: int | None) -> int | None:
    """Return the last promise that was given before the case was first closed, or with that."""
    told = steps if first_closed is None else steps[: first_closed + 1]
    promises = [
        step.at - step.measures.late_ms
        for step in told
        if step.measures is not None and step.measures.late_ms is not None
    ]
    return promises[-1] if promises else None


def _closes_at(last_at: int, course: _Course, case_type: CaseType) -> int | None:
    if course.closed_at is not None or case_type.closes_after_ms is None:
        return None
    return last_at + case_type.closes_after_ms


def _counted(channels: Mapping[str, int], change: CaseChange) -> Mapping[str, int]:
    counts = Counter(channels)
    counts.update([step.type.channel for step in change.added])
    counts.subtract([step.type.channel for step in change.removed])
    return {channel: count for channel, count in counts.items() if count}


def _overfull(before: CaseRow | None, customer: str, subject: str, channels: Mapping[str, int]) -> CaseRow:
    return _row(customer, subject, _next(before), OVERFULL, channels)


def _next(before: CaseRow | None) -> int:
    return 1 if before is None else before.revision + 1


def _row(customer: str, subject: str, revision: int, status: str, channels: Mapping[str, int]) -> CaseRow:
    """Return the row of a case of which nothing is known but how many touchpoints each channel has."""
    return CaseRow(
        customer=customer,
        subject=subject,
        revision=revision,
        type=UNKNOWN,
        status=status,
        opened_at=None,
        last_at=None,
        closed_at=None,
        closes_at=None,
        due_at=None,
        late_ms=None,
        touchpoints=sum(channels.values()),
        contacts=0,
        repeats=0,
        hand_overs=0,
        reopened=0,
        first_channel=None,
        channels=dict(sorted(channels.items())),
        stages=(),
        waits=0,
        wait_ms=0,
        outcome="none",
        answers=0,
        satisfaction=None,
        steps=_NO_STEPS,
        keys=b"",
    )
