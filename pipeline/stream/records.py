"""The records that are published, as their Avro schemas have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from pipeline.contract.encode import Encoder
from pipeline.flow.values import ChurnRow, Forwarded, Headers, JourneyRow, Refused, SatisfactionRow
from pipeline.topics import CHURN_RISK, DEAD_LETTERS, JOURNEYS, SATISFACTION, TOUCHPOINTS


class Outgoing(NamedTuple):
    """A record to be produced."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] | None = None


class Records:
    """Turns rows into records; `ids` are the registry's ids of the schemas, `texts` the schemas, by topic."""

    def __init__(self, ids: dict[str, int], texts: dict[str, str]) -> None:
        self._encode = {topic: Encoder(ids[topic], texts[topic]).encode for topic in ids}

    def journeys(self, rows: Iterable[JourneyRow]) -> Iterator[Outgoing]:
        """A record a revision."""
        encode = self._encode[JOURNEYS]
        for row in rows:
            record: dict[str, Any] = row._asdict()
            record["steps"] = [step._asdict() for step in row.steps]
            yield Outgoing(JOURNEYS, row.customer.encode(), encode(record))

    def satisfaction(self, rows: Iterable[SatisfactionRow]) -> Iterator[Outgoing]:
        """A record a customer."""
        encode = self._encode[SATISFACTION]
        for row in rows:
            yield Outgoing(SATISFACTION, row.customer.encode(), encode(row._asdict()))

    def churn(self, rows: Iterable[ChurnRow]) -> Iterator[Outgoing]:
        """A record a customer."""
        encode = self._encode[CHURN_RISK]
        for row in rows:
            record = row._asdict()
            record["reasons"] = [reason._asdict() for reason in row.reasons]
            yield Outgoing(CHURN_RISK, row.customer.encode(), encode(record))


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
