"""decode ▶ validate ▶ route: a slice of records, sorted into what is processed, refused and sent on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat

from pipeline.catalogue import Catalogue
from pipeline.contract.decode import MAX_RECORD_BYTES, Writers, decode
from pipeline.contract.encode import HEADER_BYTES, MAGIC
from pipeline.contract.partition import partition_of
from pipeline.contract.plain import Plain, plain
from pipeline.contract.reject import Rejected
from pipeline.contract.validate import check, check_kind
from pipeline.flow.values import Admission, Admitted, Answer, Forwarded, Received, Refused, Traits
from pipeline.journey.policy import Policy
from pipeline.journey.step import Step, event_key, event_keys
from pipeline.satisfaction.scales import is_satisfied, millipoints
from pipeline.touchpoint import CHANNELS, Feedback, Touchpoint, customer_key

#: The header of a record that was sent on: the partition and offset it came from.
FORWARDED_HEADER = "pipeline-forwarded-from"
#: The attribute of feedback that judges another touchpoint: <channel>/<kind>.
ABOUT = "about"
#: More distinct words than this are forgotten and looked up anew; it bounds memory against made-up kinds and keys.
_MEMO = 100_000
#: Fewer records are decoded one by one, which is quicker then.
_MANY = 64
#: So many are decoded at once: what they take stays in the processor's cache.
_AT_ONCE = 8_192
#: Larger records are decoded one by one, which bounds the memory for many.
_PLAIN_BYTES = 4_096
#: In place of the traits of a kind that is none.
_NO_WORD = Traits("", "", "", catalogued=False, gap_ms=0, begun_by_customer=False, closes_account=False)


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
        self._plain_traits: dict[tuple[str | None, bytes, str | None], Traits] = {}
        self._names: dict[bytes, tuple[int, str]] = {}

    def admit(
        self, records: Sequence[Received], partition: int, writers: Writers, now_ms: int, next_offset: int
    ) -> Admission:
        """Sort a slice of `partition`; `next_offset` is the offset after it, `now_ms` the clock."""
        found: list[Admitted | None] = [None] * len(records)
        if len(records) >= _MANY:
            self._admit_plain(records, partition, writers, now_ms, found)
        refused: list[Refused] = []
        forwarded: list[Forwarded] = []
        for place, record in enumerate(records):
            if found[place] is None:
                found[place] = self._admit_one(record, partition, writers, now_ms, refused, forwarded)
        return Admission(next_offset, [event for event in found if event is not None], refused, forwarded)

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
        if key != record.key or (self._homes.get(key) or self._home(key)) != partition + 1:
            self._send_on(record, key, partition, forwarded, refused)
            return None
        traits = self._traits.get((t.channel, t.kind, t.stage)) or self._traits_of(t.channel, t.kind, t.stage)
        at = t.occurred_at
        answer = None if t.feedback is None else self._answer(t.feedback, t.attributes.get(ABOUT, ""), traits)
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

    def _admit_plain(
        self,
        records: Sequence[Received],
        partition: int,
        writers: Writers,
        now_ms: int,
        found: list[Admitted | None],
    ) -> None:
        """Fill in those in which nothing is unusual, many at once."""
        for header, places in self._by_header(records):
            writer = writers.get(header[len(MAGIC) :])
            if writer is None or writer.layout is None or not header.startswith(MAGIC) or len(places) < _MANY:
                continue
            values = [records[place].value or b"" for place in places]
            columns = plain(values, writer, now_ms, ABOUT)
            keys = [records[places[row]].key for row in columns.rows]
            for row, event in zip(columns.rows, self._put_together(columns, keys, partition), strict=True):
                found[places[row]] = event

    def _by_header(self, records: Sequence[Received]) -> Iterator[tuple[bytes, list[int]]]:
        """The places of records that may be plain, by what their values begin with."""
        by_header: dict[bytes, list[int]] = {}
        most_bytes = min(_PLAIN_BYTES, self._max_bytes)
        for place, record in enumerate(records):
            value = record.value
            if value is not None and HEADER_BYTES < len(value) <= most_bytes:
                by_header.setdefault(value[:HEADER_BYTES], []).append(place)
        for header, places in by_header.items():
            for first in range(0, len(places), _AT_ONCE):
                yield header, places[first : first + _AT_ONCE]

    def _put_together(self, columns: Plain, keys: list[bytes | None], partition: int) -> Iterator[Admitted | None]:
        """Of each plain touchpoint the event, or None for those that have to be looked at one by one."""
        names = self._names_of(columns.customer, keys, partition)
        known = self._plain_traits.get
        traits = [
            known(words) or self._learn_traits(*words)
            for words in zip(columns.channel, columns.kind, columns.stage, strict=True)
        ]
        if b"\0" in b"".join(columns.source) or b"\0" in b"".join(columns.event_id):
            for place, texts in enumerate(zip(columns.source, columns.event_id, strict=True)):
                if b"\0" in texts[0] + texts[1]:
                    names[place] = None
        answers: list[Answer | None] = [None] * len(names)
        scores: list[float | None] = [None] * len(names)
        for place, (feedback, about) in columns.answers.items():
            answer = answers[place] = self._answer(feedback, about, traits[place])
            scores[place] = answer.millipoints / 1000
        ats = columns.occurred_at
        steps = map(
            tuple.__new__,
            repeat(Step),
            zip(
                ats,
                event_keys(columns.source, columns.event_id, ats),
                columns.channel,
                [each.kind for each in traits],
                [each.stage for each in traits],
                columns.outcome,
                columns.wait_ms,
                columns.duration_ms,
                scores,
                columns.amount_minor,
                columns.currency,
                strict=True,
            ),
        )
        until = [at + each.gap_ms for at, each in zip(ats, traits, strict=True)]
        events = map(tuple.__new__, repeat(Admitted), zip(names, until, steps, traits, answers, strict=True))
        if None not in names and _NO_WORD not in traits:
            return events
        return (None if event.customer is None or event.traits is _NO_WORD else event for event in events)

    def _names_of(self, customers: list[bytes], keys: list[bytes | None], partition: int) -> list[str | None]:
        """The customers' names; None where the record's key is another, or another partition's."""
        known, learn, here = self._names.get, self._learn_name, partition + 1
        return [
            found[1] if customer == key and (found := known(customer) or learn(customer))[0] == here else None
            for customer, key in zip(customers, keys, strict=True)
        ]

    def _learn_name(self, customer: bytes) -> tuple[int, str]:
        if len(self._names) >= _MEMO:
            self._names.clear()
        named = 0 if b"\0" in customer else self._home(customer)
        found = self._names[customer] = named, customer.decode("ascii")
        return found

    def _learn_traits(self, channel: str | None, kind: bytes, stage: str | None) -> Traits:
        word = kind.decode("ascii")
        if channel is None or check_kind(word) is not None:
            return _NO_WORD
        if len(self._plain_traits) >= _MEMO:
            self._plain_traits.clear()
        found = self._traits.get((channel, word, stage)) or self._traits_of(channel, word, stage)
        self._plain_traits[channel, kind, stage] = found
        return found

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

    def _answer(self, feedback: Feedback, judged: str, own: Traits) -> Answer:
        channel, slash, kind = judged.partition("/")
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
