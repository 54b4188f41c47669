"""decode ▶ validate ▶ route: slices of records, sorted into what is processed, refused and sent on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat

from pipeline.catalogue import Catalogue
from pipeline.contract.decode import MAX_RECORD_BYTES, Writers, decode
from pipeline.contract.reject import Rejected
from pipeline.contract.validate import check
from pipeline.flow.homes import Homes
from pipeline.flow.many import ABOUT, MANY, admit_plain
from pipeline.flow.values import Admission, Admitted, Forwarded, Received, Refused, Work
from pipeline.flow.words import Words
from pipeline.journey.policy import Policy
from pipeline.journey.step import Step, event_key
from pipeline.touchpoint import Touchpoint, customer_key

#: The header of a record that was sent on: the partition and offset it came from.
FORWARDED_HEADER = "pipeline-forwarded-from"


class Door:
    """Admits records of one topic. What it remembers are answers of pure functions, never what it has seen."""

    def __init__(
        self, catalogue: Catalogue, policy: Policy, partitions: int, max_record_bytes: int = MAX_RECORD_BYTES
    ) -> None:
        self._words, self._homes = Words(catalogue, policy), Homes(partitions)
        self._max_bytes = max_record_bytes

    def admit(self, works: Sequence[Work], writers: Writers, now_ms: int) -> list[Admission]:
        """Sort slices of different partitions; `now_ms` is the clock."""
        records = list(chain.from_iterable([work.records for work in works]))
        found: list[Admitted | None] = [None] * len(records)
        if len(records) >= MANY:
            partitions = list(chain.from_iterable([repeat(work.partition, len(work.records)) for work in works]))
            found = admit_plain(records, partitions, writers, now_ms, self._words, self._homes, self._max_bytes)
        admissions = []
        end = 0
        for partition, some, next_offset in works:
            begin, end = end, end + len(some)
            refused: list[Refused] = []
            forwarded: list[Forwarded] = []
            admitted = [
                event
                for record, known in zip(some, found[begin:end], strict=True)
                if (event := known or self._admit_one(record, partition, writers, now_ms, refused, forwarded))
            ]
            admissions.append(Admission(next_offset, admitted, refused, forwarded))
        return admissions

    def _admit_one(
        self,
        record: Received,
        partition: int,
        writers: Writers,
        now_ms: int,
        refused: list[Refused],
        forwarded: list[Forwarded],
    ) -> Admitted | None:
        touchpoint = decode(record.value, writers, self._max_bytes)
        wrong = touchpoint if isinstance(touchpoint, Rejected) else check(touchpoint, now_ms)
        if wrong is not None:
            refused.append(Refused(record, wrong))
            return None
        assert isinstance(touchpoint, Touchpoint)
        t = touchpoint
        customer = customer_key(t)
        assert customer is not None  # check() saw to it
        key = customer.encode()
        if key != record.key or self._homes.of(key) != partition:
            self._send_on(record, key, partition, forwarded, refused)
            return None
        traits = self._words.traits(t.channel, t.kind, t.stage)
        at = t.occurred_at
        answer = None if t.feedback is None else self._words.answer(t.feedback, t.attributes.get(ABOUT, ""), traits)
        step = Step(
            at,
            event_key(t.source, t.event_id, at),
            t.channel,
            t.kind,
            traits.stage,
            t.outcome,
            t.wait_ms,
            t.duration_ms,
            None if answer is None else answer.millipoints / 1000,
            t.amount_minor,
            t.currency,
        )
        return Admitted(customer, at + traits.gap_ms, step, traits, answer)

    def _send_on(
        self, record: Received, key: bytes, partition: int, forwarded: list[Forwarded], refused: list[Refused]
    ) -> None:
        headers = list(record.headers)
        if any(name == FORWARDED_HEADER for name, _ in headers):
            refused.append(Refused(record, Rejected("misrouted", "it was sent on once and came wrong again")))
            return
        headers.append((FORWARDED_HEADER, f"{partition}/{record.offset}".encode()))
        forwarded.append(Forwarded(key, record.value or b"", headers))
