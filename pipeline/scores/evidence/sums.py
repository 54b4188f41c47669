"""Fading sums of what went wrong for a customer, and of what they answered.

Help and complaints are touchpoints that the customer began and whose role in the catalogue is `help` or `complain`;
each of a call's events counts. Failures are those that the customer began and that failed or were abandoned. An answer
is bad below `BAD_BELOW`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from pipeline.journey.admitted import Admitted
from pipeline.scores.decay import half_lives, trailing_zeros, weight

#: Thousandths of a point, of 100,000: the middle of each instrument's scale.
MIDDLE: Final = 50_000
BAD_BELOW: Final = 50_000
_WENT_WRONG: Final = ("failed", "abandoned")


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
        """Return the sums that are not 0, by name, as a row holds them: without the binary zeros in which all end.

        How many these are is said under `BASE`, unless none.
        """
        helped, complaints, failures, bad_answers, answers, points = self
        base = trailing_zeros(helped | complaints | failures | bad_answers | answers | points)
        numbers: dict[str, int] = {}
        if base:
            numbers[BASE] = base
        if helped:
            numbers["help"] = helped >> base
        if complaints:
            numbers["complaints"] = complaints >> base
        if failures:
            numbers["failures"] = failures >> base
        if bad_answers:
            numbers["bad_answers"] = bad_answers >> base
        if answers:
            numbers["answers"] = answers >> base
        if points:
            numbers["points"] = points >> base
        return numbers

    @classmethod
    def of(cls, numbers: Mapping[str, int]) -> Evidence:
        """Return the sums of a row."""
        base = numbers.get(BASE, 0)
        return cls(*[numbers.get(name, 0) << base for name in cls._fields])


#: Stands among the numbers of a row for the half-lives after `decay.EPOCH_MS` as of which its sums are.
BASE = "base"
NO_EVIDENCE = Evidence()


def evidence_of(events: Sequence[Admitted], half_life_ms: int, before: Evidence = NO_EVIDENCE) -> Evidence | None:
    """Return the sums over touchpoints, in order of time, added to those of `before`; None if they hold no evidence."""
    helped = complaints = failures = bad_answers = answers = points = 0
    # As of the first event, numbers are small.
    base = half_lives(events[0].step.at, half_life_ms) if events else 0
    for _, _, step, traits, answer, _ in events:
        concern = traits.concern
        failed = traits.begun_by_customer and step.type.outcome in _WENT_WRONG
        if concern is None and answer is None and not failed:
            continue
        each = weight(step.at, half_life_ms, base)
        if concern == "help":
            helped += each
        elif concern == "complain":
            complaints += each
        if failed:
            failures += each
        if answer is not None:
            millipoints = answer.millipoints
            answers += each
            points += each * (millipoints - MIDDLE)
            if millipoints < BAD_BELOW:
                bad_answers += each
    if not (helped or complaints or failures or answers):
        return None
    helped_before, complaints_before, failures_before, bad_before, answers_before, points_before = before
    return Evidence(
        helped_before + (helped << base),
        complaints_before + (complaints << base),
        failures_before + (failures << base),
        bad_before + (bad_answers << base),
        answers_before + (answers << base),
        points_before + (points << base),
    )


def taken_out(evidence: Evidence, some: Evidence) -> Evidence:
    """Return a sum without a part of it, exactly as if that had never been added."""
    return Evidence(*[a - b for a, b in zip(evidence, some, strict=True)])
