"""Fading sums of what went wrong for a customer, and of what they answered.

Help and complaints are touchpoints that the customer began and whose role in the catalogue is `help` or `complain`;
each of a call's events counts. Failures are those that the customer began and that failed or were abandoned. An answer
is bad below `BAD_BELOW`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pipeline.journey.admitted import Admitted
from pipeline.scores.decay import weight

#: Thousandths of a point, of 100,000: the middle of each instrument's scale.
MIDDLE = 50_000
BAD_BELOW = MIDDLE
_WENT_WRONG = frozenset({"failed", "abandoned"})


class Evidence(NamedTuple):
    """Sums of weights as `decay.weight` gives them; all 0 where there is nothing."""

    help: int = 0
    complaints: int = 0
    failures: int = 0
    bad_answers: int = 0
    answers: int = 0
    #: Of weight × the answer's distance from the middle of the scale, in thousandths of a point.
    points: int = 0

    def numbers(self) -> Mapping[str, int]:
        """Return the sums that are not 0, by name, as a row holds them."""
        if not any(self):
            return NO_NUMBERS
        return {name: value for name, value in zip(_NAMES, self, strict=True) if value}

    @classmethod
    def of(cls, numbers: Mapping[str, int]) -> Evidence:
        """Return the sums of a row."""
        return cls(*[numbers.get(name, 0) for name in _NAMES])


_NAMES = Evidence._fields
NO_NUMBERS: Mapping[str, int] = {}
NO_EVIDENCE = Evidence()


def evidence_of(events: Iterable[Admitted], half_life_ms: int) -> Evidence | None:
    """Return the sums over touchpoints; None if they hold no evidence."""
    helped = complaints = failures = bad_answers = answers = points = 0
    for event in events:
        traits, answer, step = event.traits, event.answer, event.step
        concern = traits.concern
        failed = traits.begun_by_customer and step.type.outcome in _WENT_WRONG
        if concern is None and answer is None and not failed:
            continue
        each = weight(step.at, half_life_ms)
        if concern == "help":
            helped += each
        elif concern == "complain":
            complaints += each
        if failed:
            failures += each
        if answer is not None:
            answers += each
            points += each * (answer.millipoints - MIDDLE)
            if answer.millipoints < BAD_BELOW:
                bad_answers += each
    if not (helped or complaints or failures or answers):
        return None
    return Evidence(helped, complaints, failures, bad_answers, answers, points)


def added(evidence: Evidence, more: Evidence) -> Evidence:
    """Return two sums added up."""
    return Evidence(*[a + b for a, b in zip(evidence, more, strict=True)])


def taken_out(evidence: Evidence, some: Evidence) -> Evidence:
    """Return a sum without a part of it, exactly as if that had never been added."""
    return Evidence(*[a - b for a, b in zip(evidence, some, strict=True)])
