"""The records that are published, as their Avro schemas have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pipeline.contract.encode import header
from pipeline.flow.values import ChurnRow, Forwarded, Headers, JourneyRow, Refused, SatisfactionRow
from pipeline.stream import bodies
from pipeline.topics import CHURN_RISK, DEAD_LETTERS, JOURNEYS, SATISFACTION, TOUCHPOINTS


class Outgoing(NamedTuple):
    """A record to be produced."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] | None = None


class Records:
    """Turns rows into records; `ids` are the registry's ids of the schemas, by topic."""

    def __init__(self, ids: Mapping[str, int]) -> None:
        self._headers = {topic: header(schema_id) for topic, schema_id in ids.items()}
        self._journeys = bodies.Journeys()

    def journeys(self, rows: Sequence[JourneyRow]) -> Iterator[Outgoing]:
        """A record a revision."""
        head = self._headers[JOURNEYS]
        for row, body in zip(rows, self._journeys.encode(rows), strict=True):
            yield Outgoing(JOURNEYS, row.customer.encode(), head + body)

    def satisfaction(self, rows: Iterable[SatisfactionRow]) -> Iterator[Outgoing]:
        """A record a customer."""
        head = self._headers[SATISFACTION]
        for row in rows:
            yield Outgoing(SATISFACTION, row.customer.encode(), head + bodies.satisfaction(row))

    def churn(self, rows: Sequence[ChurnRow]) -> Iterator[Outgoing]:
        """A record a customer."""
        head = self._headers[CHURN_RISK]
        for row, body in zip(rows, bodies.churn_risks(rows), strict=True):
            yield Outgoing(CHURN_RISK, row.customer.encode(), head + body)


def dead_letters(refused: Iterable[Refused], partition: int) -> Iterator[Outgoing]:
    """The bytes as they came, with headers that say what was wrong and where it was."""
    for record, why in refused:
        yield dead_letter(record.key, record.value, record.headers, why.reason, why.detail, partition, record.offset)


def dead_letter(
    key: bytes | None, value: bytes | None, headers: Headers, reason: str, detail: str, partition: int, offset: int
) -> Outgoing:
    """One record for the dead-letter topic."""
    added = {"reason": reason, "detail": detail, "topic": TOUCHPOINTS, "partition": partition, "offset": offset}
    marks = [(f"pipeline-{name}", str(said).encode()) for name, said in added.items()]
    return Outgoing(DEAD_LETTERS, key, value, [*headers, *marks])


def forwards(forwarded: Iterable[Forwarded]) -> Iterator[Outgoing]:
    """Touchpoints with the right key."""
    for key, value, headers in forwarded:
        yield Outgoing(TOUCHPOINTS, key, value, headers)
