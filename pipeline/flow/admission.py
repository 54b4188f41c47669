"""decode ▶ validate ▶ route: records are admitted, refused with a reason, or sent on with the right key."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice, repeat
from typing import cast

from pipeline.catalogue import Catalogue
from pipeline.contract.decode import Writers, decode
from pipeline.contract.encode import MAX_RECORD_BYTES
from pipeline.contract.reject import Rejected
from pipeline.contract.validate import check
from pipeline.flow.columnar_admission import ABOUT, MIN_RECORDS, ColumnarAdmission
from pipeline.flow.naming import NamingResolver
from pipeline.flow.partitioner import Partitioner
from pipeline.flow.slices import Slice
from pipeline.flow.traits import TraitsResolver
from pipeline.flow.values import AdmittedSlice, Forwarded, Received, Refused
from pipeline.identity.correction import Correction
from pipeline.journey.admitted import Admitted, Answer, Traits
from pipeline.journey.policy import Policy
from pipeline.journey.step import Step, event_key, measured
from pipeline.topics import FORWARDED_HEADER
from pipeline.touchpoint import (
    CORRECTION_KINDS,
    CUSTOMER,
    CUSTOMER_MERGED,
    MERGED_CUSTOMER,
    Touchpoint,
    case_subject,
    named_keys,
    weaker_keys,
)


class Admission:
    """Admits records of one topic. It remembers results of pure look-ups only, never what it has seen."""

    def __init__(
        self, catalogue: Catalogue, policy: Policy, partitions: int, max_record_bytes: int = MAX_RECORD_BYTES
    ) -> None:
        self._nobody = policy.identity.nobody
        self._traits, self._partitioner = TraitsResolver(catalogue, policy), Partitioner(partitions, self._nobody)
        self._namings = NamingResolver(self._traits, self._nobody)
        self._columnar = ColumnarAdmission(self._traits, self._namings, self._partitioner, max_record_bytes)
        self._max_bytes = max_record_bytes

    def admit(self, slices: Sequence[Slice], writers: Writers, now_ms: int) -> list[AdmittedSlice]:
        """Return slices of different partitions with each record admitted, refused or forwarded.

        `writers` are the writers' schemas, `now_ms` is the clock.
        """
        known = iter(self._admit_columnar(slices, writers, now_ms))
        return [self._admit_slice(each, list(islice(known, len(each.records))), writers, now_ms) for each in slices]

    def _admit_columnar(self, slices: Sequence[Slice], writers: Writers, now_ms: int) -> list[Admitted | None]:
        """Admit all records at once, as far as this can be done; None for the others."""
        records = list(chain.from_iterable([each.records for each in slices]))
        if len(records) < MIN_RECORDS:
            return [None] * len(records)
        partitions = list(chain.from_iterable([repeat(each.partition, len(each.records)) for each in slices]))
        return self._columnar.admit(records, partitions, writers, now_ms)

    def _admit_slice(
        self, records: Slice, known: Sequence[Admitted | None], writers: Writers, now_ms: int
    ) -> AdmittedSlice:
        if all(known):  # nothing is unusual
            return AdmittedSlice(
                records.partition, records.end, cast("Sequence[Admitted]", known), [], [], corrections=[]
            )
        refused: list[Refused] = []
        forwarded: list[Forwarded] = []
        corrections: list[Correction] = []
        admitted: list[Admitted] = []
        for record, columnar in zip(records.records, known, strict=True):
            event = columnar or self._admit_one(record, records.partition, writers, now_ms, refused, forwarded)
            if isinstance(event, Correction):
                corrections.append(event)
            elif event is not None:
                admitted.append(event)
        return AdmittedSlice(records.partition, records.end, admitted, refused, forwarded, corrections=corrections)

    def _admit_one(
        self,
        record: Received,
        partition: int,
        writers: Writers,
        now_ms: int,
        refused: list[Refused],
        forwarded: list[Forwarded],
    ) -> Admitted | Correction | None:
        """Return what the record is admitted as, or None after adding it to `refused` or `forwarded`."""
        touchpoint = decode(record.value, writers, self._max_bytes)
        wrong = touchpoint if isinstance(touchpoint, Rejected) else check(touchpoint, now_ms, self._nobody)
        if wrong is not None:
            refused.append(Refused(record, wrong))
            return None
        assert isinstance(touchpoint, Touchpoint)
        keys = named_keys(touchpoint, self._nobody)  # `check` has made sure that there is one
        key = keys[0].encode()
        if key != record.key or self._partitioner.partition(key) != partition:
            _forward(record, key, partition, refused, forwarded)
            return None
        return (
            _correction(keys, touchpoint) if touchpoint.kind in CORRECTION_KINDS else self._admitted(keys, touchpoint)
        )

    def readmit(self, customer: str, step: Step) -> Admitted:
        """Return the touchpoint of a customer's step, as it was admitted; whether an answer was satisfied is lost."""
        channel, kind, stage, outcome, begun_by = step.type
        traits = self._traits.traits(channel, kind, stage, begun_by)
        score = None if step.measures is None else step.measures.score
        answer = None if score is None else Answer(round(score * 1000), False, self._judged(step, traits))
        shared_type = traits.types[outcome]
        if step.type is not shared_type:
            step = step.with_type(shared_type)
        return Admitted(customer, step.at + traits.gap_ms, step, traits, answer)

    def _judged(self, step: Step, own: Traits) -> Traits:
        about = None if step.measures is None else step.measures.about
        if about is None:
            return own
        channel, _, kind = about.partition("/")
        return self._traits.traits(channel, kind, None)

    def _admitted(self, keys: tuple[str, ...], t: Touchpoint) -> Admitted:
        traits = self._traits.traits(t.channel, t.kind, t.stage, t.begun_by)
        answer = (
            None
            if t.feedback is None
            else self._traits.answer(t.feedback, t.attributes.get(ABOUT, ""), traits, t.subject)
        )
        score = None if answer is None else answer.millipoints / 1000
        step = Step(
            at=t.occurred_at,
            sequence=t.sequence or 0,
            key=event_key(t.source, t.event_id, t.occurred_at),
            type=traits.types[t.outcome],
            measures=measured(
                t.wait_ms,
                t.duration_ms,
                score,
                t.amount_minor,
                t.currency,
                None if t.due_at is None else t.occurred_at - t.due_at,
                None if answer is None else answer.judged_by(traits),
            ),
            subject=case_subject(t.subject),
        )
        weaker = weaker_keys(keys) if len(keys) > 1 else ()
        naming = self._namings.naming(weaker, traits, t.source, t.event_id) if weaker else None
        return Admitted(keys[0], t.occurred_at + traits.gap_ms, step, traits, answer, naming)


def _correction(keys: tuple[str, ...], t: Touchpoint) -> Correction:
    merged = t.attributes.get(MERGED_CUSTOMER) if t.kind == CUSTOMER_MERGED else None
    return Correction(
        own=keys[0],
        keys=keys,
        kind=t.kind,
        at=t.occurred_at,
        source=t.source,
        event_id=t.event_id,
        subject=t.subject,
        other=None if merged is None else f"{CUSTOMER}:{merged}",
    )


def _forward(record: Received, key: bytes, partition: int, refused: list[Refused], forwarded: list[Forwarded]) -> None:
    """Send a record on with the right key; one that was sent on before and came wrong again is refused."""
    headers = list(record.headers)
    if any(name == FORWARDED_HEADER for name, _ in headers):
        refused.append(Refused(record, Rejected("misrouted", "it was sent on once and came wrong again")))
        return
    headers.append((FORWARDED_HEADER, f"{partition}/{record.offset}".encode()))
    forwarded.append(Forwarded(key, record.value or b"", headers))
