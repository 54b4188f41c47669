"""What is known of a key: with whom it was named, and what corrections say of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.identity.correction import ENDED, RETRACTED, Correction
from pipeline.identity.correction_log import CorrectionLog
from pipeline.identity.naming import RETRACTED as VOID
from pipeline.identity.naming import Naming
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.segments import BEGINNING, MERGED, OVERFULL, UNKNOWN, Segment, segments
from pipeline.identity.stretches import Stretch, add_namings

#: A key that was named with more targets is shared for all time, and nothing more is kept of it.
MAX_TARGETS = 1_000


class KeyIdentity:
    """What is known of one key; a function of the set of its namings and corrections.

    `stretches` are those of all namings; void namings have stretches of their own, with the trust `retracted`.
    `corrections` are those that name the key: `identity_ended`, and `identity_retracted` without a subject.
    """

    __slots__ = ("_log", "_segments", "corrections", "is_overfull", "key", "stretches")

    def __init__(
        self,
        key: str,
        stretches: Sequence[Stretch] = (),
        corrections: Iterable[Correction] = (),
        is_overfull: bool = False,
    ) -> None:
        self.key = key
        self.stretches = stretches
        self.corrections = frozenset(corrections)
        self.is_overfull = is_overfull
        self._log: CorrectionLog | None = None
        self._segments = UNKNOWN

    def add(self, namings: Iterable[Naming], log: CorrectionLog, policy: IdentityPolicy) -> None:
        """Add namings; those that are there already change nothing."""
        if self.is_overfull:
            return
        retractions = self._retractions(log)
        if retractions or log.retractions:
            namings = [
                naming._replace(trust=VOID) if _is_void(naming, retractions, log) else naming for naming in namings
            ]
        stretches = add_namings(self.stretches, namings, policy.stretch_ms)
        if stretches is self.stretches:
            return
        self.stretches, self._log = stretches, None
        if len({each.target for each in stretches}) > MAX_TARGETS:
            self.stretches, self.is_overfull = (), True

    def rebuild(self, namings: Iterable[Naming], log: CorrectionLog, policy: IdentityPolicy) -> None:
        """Make the stretches anew from all of the key's namings, as retractions are known now."""
        self.stretches, self._log = (), None
        self.add(namings, log, policy)

    def correct(self, correction: Correction) -> bool:
        """Add a correction that names the key; return whether its stretches have to be rebuilt."""
        if correction in self.corrections:
            return False
        self.corrections |= {correction}
        self._log = None
        return correction.kind == RETRACTED

    def segments(self, log: CorrectionLog, policy: IdentityPolicy) -> Sequence[Segment]:
        """Return who holds the key over time."""
        if self._log is not log:
            self._log, self._segments = log, self._evaluate(log, policy)
        return self._segments

    def _evaluate(self, log: CorrectionLog, policy: IdentityPolicy) -> Sequence[Segment]:
        if self.is_overfull:
            return (Segment(BEGINNING, None, OVERFULL),)
        of_survivors = [
            each._replace(target=log.survivor(each.target)) if each.target in log.survivors else each
            for each in self.stretches
            if each.trust != VOID
        ]
        if not of_survivors:
            return UNKNOWN
        ends = [
            each.at
            for each in self.corrections
            if each.kind == ENDED and not log.is_void(each.source, each.event_id, each.order)
        ]
        return segments(of_survivors, ends, policy.of_type(self.key.partition(":")[0]))

    def _retractions(self, log: CorrectionLog) -> list[Correction]:
        return [
            each
            for each in self.corrections
            if each.kind == RETRACTED and not log.is_void(each.source, each.event_id, each.order)
        ]


def customer_segments(customer: str, log: CorrectionLog) -> Sequence[Segment]:
    """Return who holds a customer's key: the survivor, if the customer was merged; it rests on the merge's event."""
    merge = log.merges.get(customer)
    if merge is None:
        return UNKNOWN
    evidence = Stretch(log.survivor(customer), "", merge.at, merge.at, merge.source, merge.event_id)
    return (Segment(BEGINNING, evidence.target, MERGED, evidence),)


def _is_void(naming: Naming, retractions: Sequence[Correction], log: CorrectionLog) -> bool:
    return log.is_void(naming.source, naming.event_id, naming.order) or any(
        each.own == naming.target and each.order > naming.order for each in retractions
    )
