"""The records that are published for a commit: revisions, scores, dead letters, and what goes to other partitions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from pipeline.cases.row import CASE, CaseRow
from pipeline.contract.encode import header
from pipeline.flow.exchange import ExchangeRecord
from pipeline.flow.identity_rows import OWNER, OwnerRow
from pipeline.flow.values import Batch, Forwarded, Headers
from pipeline.journey.row import JOURNEY, JourneyRow
from pipeline.ledger.outbox import RefusedRow, Unpublished
from pipeline.publishing.serializers import RowSerializer
from pipeline.scores.protocol import Score
from pipeline.topics import CASES, DEAD_LETTERS, EXCHANGE, IDENTITIES, JOURNEYS, TOUCHPOINTS

#: The partition of records that Kafka's partitioner places, by their key.
BY_KEY = -1


class OutgoingRecord(NamedTuple):
    """A record to be produced."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] | None = None
    partition: int = BY_KEY


class _Topic(NamedTuple):
    name: str
    header: bytes
    serializer: RowSerializer

    def by_customer(self, rows: Sequence[Any]) -> Iterator[OutgoingRecord]:
        """Yield a record for each row; the key is the customer's."""
        for row, body in zip(rows, self.serializer.serialize(rows), strict=True):
            yield OutgoingRecord(self.name, row.customer.encode(), self.header + body)

    def tombstones(self, customers: Iterable[str]) -> Iterator[OutgoingRecord]:
        """Yield a record without value for each customer whose row is deleted."""
        for customer in customers:
            yield OutgoingRecord(self.name, customer.encode(), None)

    def by_journey(self, rows: Sequence[JourneyRow], partition: int) -> Iterator[OutgoingRecord]:
        """Yield a record for each journey, on the customer's partition; compaction keeps the latest of each journey."""
        for row, body in zip(rows, self.serializer.serialize(rows), strict=True):
            key = f"{row.customer}/{row.journey_id}".encode()
            yield OutgoingRecord(self.name, key, self.header + body, None, partition)

    def by_case(self, rows: Sequence[CaseRow], partition: int) -> Iterator[OutgoingRecord]:
        """Yield a record for each case, on the customer's partition."""
        for row, body in zip(rows, self.serializer.serialize(rows), strict=True):
            key = f"{row.customer}/{row.subject}".encode()
            yield OutgoingRecord(self.name, key, self.header + body, None, partition)


class RecordSerializer:
    """Turns the rows of commits into records.

    `schema_ids` are the registry's ids of the schemas, by topic. `clock_ms` gives epoch milliseconds.
    """

    def __init__(
        self,
        schema_ids: Mapping[str, int],
        scores: Sequence[Score[Any, Any]],
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        headers = {topic: header(schema_id) for topic, schema_id in schema_ids.items()}
        self._clock_ms = clock_ms
        self._identities = _Topic(IDENTITIES, headers[IDENTITIES], RowSerializer(OWNER))
        self._journeys = _Topic(JOURNEYS, headers[JOURNEYS], RowSerializer(JOURNEY))
        self._cases = _Topic(CASES, headers[CASES], RowSerializer(CASE))
        self._scores = {
            score.table.name: _Topic(score.topic, headers[score.topic], RowSerializer(score.table))
            for score in scores
            if score.topic is not None
        }

    def of_batch(self, batch: Batch) -> Iterator[OutgoingRecord]:
        """Yield the records of a batch that was committed."""
        letters = [
            dead_letter(RefusedRow(r.offset, r.key, r.value, list(r.headers), why.reason, why.detail), batch.partition)
            for r, why in batch.refused
        ]
        if batch.identity is None:
            return self._records(batch, letters, batch.partition)
        owners = batch.identity.written.get(OWNER.name, ())
        return chain(
            self._records(batch, letters, batch.partition), self._who_is_who(owners), _exchange(batch.identity.records)
        )

    def of_unpublished(self, rest: Unpublished, partition: int) -> Iterator[OutgoingRecord]:
        """Yield the records of what an earlier owner of a partition committed and did not publish."""
        letters = [dead_letter(refused, partition) for refused in rest.refused]
        records = self._records(rest, letters, partition)
        return chain(records, self._who_is_who(rest.owners), _exchange(rest.exchanged))

    def _who_is_who(self, owners: Iterable[OwnerRow]) -> Iterator[OutgoingRecord]:
        """Yield a record for each key: who holds it now. `owners` are all rows of the keys."""
        now_ms = self._clock_ms()
        now = {row.key: row for row in sorted(owners) if row.since <= now_ms}
        rows = list(now.values())
        for row, body in zip(rows, self._identities.serializer.serialize(rows), strict=True):
            yield OutgoingRecord(IDENTITIES, row.key.encode(), self._identities.header + body)

    def _records(
        self, rows: Batch | Unpublished, letters: Iterable[OutgoingRecord], partition: int
    ) -> Iterator[OutgoingRecord]:
        journeys = self._journeys.by_journey(rows.journeys, partition)
        scores = [topic.by_customer(rows.scores[name]) for name, topic in self._scores.items() if name in rows.scores]
        removed = [topic.tombstones(rows.removed_scores.get(name, ())) for name, topic in self._scores.items()]
        cases = self._cases.by_case(rows.cases, partition)
        return chain(journeys, cases, *scores, *removed, letters, forwards(rows.forwarded))


def _exchange(records: Iterable[ExchangeRecord]) -> Iterator[OutgoingRecord]:
    for key, value, partition in records:
        yield OutgoingRecord(EXCHANGE, key, value, None, BY_KEY if partition is None else partition)


def dead_letter(refused: RefusedRow, partition: int) -> OutgoingRecord:
    """Return a record for the dead-letter topic: the bytes as they came, and headers that say what was wrong where."""
    added = {
        "reason": refused.reason,
        "detail": refused.detail,
        "topic": TOUCHPOINTS,
        "partition": partition,
        "offset": refused.offset,
    }
    headers: Headers = [(f"pipeline-{name}", str(value).encode()) for name, value in added.items()]
    return OutgoingRecord(DEAD_LETTERS, refused.key, refused.value, [*refused.headers, *headers])


def forwards(forwarded: Iterable[Forwarded]) -> Iterator[OutgoingRecord]:
    """Yield touchpoints with the right key."""
    for key, value, headers in forwarded:
        yield OutgoingRecord(TOUCHPOINTS, key, value, headers)
