"""decode ▶ validate ▶ route: a slice of records, sorted into what is processed, refused and sent on."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.catalogue import Catalogue
from pipeline.contract.decode import MAX_RECORD_BYTES, Writers, decode
from pipeline.contract.partition import partition_of
from pipeline.contract.reject import Rejected
from pipeline.contract.validate import check, check_kind
from pipeline.flow.values import Admission, Admitted, Answer, Forwarded, Received, Refused, Traits
from pipeline.journey.policy import Policy
from pipeline.journey.step import Step, event_key
from pipeline.satisfaction.scales import is_satisfied, millipoints
from pipeline.touchpoint import CHANNELS, Feedback, Touchpoint, customer_key

#: The header of a record that was sent on: the partition and offset it came from.
FORWARDED_HEADER = "pipeline-forwarded-from"
#: The attribute of feedback that judges another touchpoint: <channel>/<kind>.
ABOUT = "about"
#: More distinct words than this are forgotten and looked up anew; it bounds memory against made-up kinds and keys.
_MEMO = 100_000


class Door:
    """Admits records of one topic. What it remembers are answers of pure functions, never what it has seen."""

    def __init__(
        self, catalogue: Catalogue, policy: Policy, partitions: int, max_record_bytes: int = MAX_RECORD_BYTES
    ) -> None:
        self._catalogue = catalogue
        self._policy = policy
        self._partitions = partitions
        self._max_bytes = max_record_bytes
        self._traits: dict[tuple[str, str, str | None], Traits] = {}
        self._homes: dict[bytes, int] = {}

    def admit(
        self, records: Sequence[Received], partition: int, writers: Writers, now_ms: int, next_offset: int
    ) -> Admission:
        """Sort a slice of `partition`; `next_offset` is the offset after it, `now_ms` the clock."""
        admitted: list[Admitted] = []
        refused: list[Refused] = []
        forwarded: list[Forwarded] = []
        max_bytes, traits_of, home = self._max_bytes, self._traits.get, self._homes.get
        for record in records:
            touchpoint = decode(record.value, writers, max_bytes)
            wrong = touchpoint if type(touchpoint) is Rejected else check(touchpoint, now_ms)  # type: ignore[arg-type]
            if wrong is not None:
                refused.append(Refused(record, wrong))
                continue
            t: Touchpoint = touchpoint  # type: ignore[assignment]
            customer = customer_key(t)
            assert customer is not None  # check() saw to it
            key = customer.encode()
            if key != record.key or (home(key) or self._home(key)) != partition + 1:
                self._send_on(record, key, partition, forwarded, refused)
                continue
            traits = traits_of((t.channel, t.kind, t.stage)) or self._traits_of(t.channel, t.kind, t.stage)
            at = t.occurred_at
            answer = None if t.feedback is None else self._answer(t, t.feedback, traits)
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
            admitted.append(Admitted(customer, at + traits.gap_ms, step, traits, answer))
        return Admission(next_offset, admitted, refused, forwarded)

    def _traits_of(self, channel: str, kind: str, stage: str | None) -> Traits:
        entry = self._catalogue.entry(channel, kind)
        if len(self._traits) >= _MEMO:
            self._traits.clear()
        traits = self._traits[channel, kind, stage] = Traits(
            channel=channel,
            kind=kind,
            stage=stage or entry.stage or "unknown",
            catalogued=entry.catalogued,
            gap_ms=self._policy.gap(channel, kind),
            begun_by_customer=entry.initiated_by == "customer",
            closes_account=kind == "account_closed",
        )
        return traits

    def _home(self, key: bytes) -> int:
        """The partition of a key, plus one, so that it is never false."""
        if len(self._homes) >= _MEMO:
            self._homes.clear()
        home = self._homes[key] = partition_of(key, self._partitions) + 1
        return home

    def _answer(self, t: Touchpoint, feedback: Feedback, own: Traits) -> Answer:
        channel, slash, kind = t.attributes.get(ABOUT, "").partition("/")
        about = own
        if slash and channel in CHANNELS:
            known = self._traits.get((channel, kind, None))
            if known is not None or check_kind(kind) is None:
                about = known or self._traits_of(channel, kind, None)
        return Answer(
            millipoints(feedback.instrument, feedback.score),
            is_satisfied(feedback.instrument, feedback.score),
            about,
        )

    def _send_on(
        self, record: Received, key: bytes, partition: int, forwarded: list[Forwarded], refused: list[Refused]
    ) -> None:
        headers = list(record.headers)
        if any(name == FORWARDED_HEADER for name, _ in headers):
            refused.append(Refused(record, Rejected("misrouted", "it was sent on once and came wrong again")))
            return
        headers.append((FORWARDED_HEADER, f"{partition}/{record.offset}".encode()))
        forwarded.append(Forwarded(key, record.value or b"", headers))
