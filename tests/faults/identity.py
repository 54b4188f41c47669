"""What producers told of touchpoints, and where tables and topics have them: whose each is, and how it came there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from io import BytesIO
from typing import Any

from confluent_kafka import Message
from fastavro import schemaless_reader

from faults.database import Database
from faults.world import Kept, Ownership, PublishedOwner, Record, Told, Transfer
from pipeline.contract.decode import Writer, decode
from pipeline.contract.encode import HEADER_BYTES
from pipeline.contract.registry import Registry, UnknownSchema
from pipeline.contract.reject import Rejected
from pipeline.contract.schema import parse_safely, schema_text
from pipeline.journey.step import KEY_BYTES, event_key
from pipeline.ledger.steps import parse_steps
from pipeline.topics import IDENTITIES, TOUCHPOINTS
from pipeline.touchpoint import CORRECTION_KINDS, own_key

_OWNER = ("owner", "why", "trust", "source", "event_id")


def told(
    records: Sequence[Record], quarantined: Set[tuple[int, int]], registry: Registry
) -> tuple[frozenset[Told], Counter[int]]:
    """The touchpoints of records that were neither refused nor sent on, and the number of corrections by partition."""
    sent_on = {record.forwarded_from for record in records}
    writers = _writers(records, registry)
    touchpoints, corrections = set(), Counter[int]()
    for record in records:
        if (record.partition, record.offset) in quarantined or f"{record.partition}/{record.offset}" in sent_on:
            continue
        t = decode(record.value, writers)
        own = None if isinstance(t, Rejected) else own_key(t)
        assert not isinstance(t, Rejected) and own is not None, f"{record} is not in quarantine"
        if t.kind in CORRECTION_KINDS:
            corrections[record.partition] += 1
        else:
            touchpoints.add(Told(own, t.occurred_at, event_key(t.source, t.event_id, t.occurred_at)))
    return frozenset(touchpoints), corrections


def _writers(records: Iterable[Record], registry: Registry) -> dict[bytes, Writer]:
    named = {record.value[1:HEADER_BYTES] for record in records if record.value}
    writers = {}
    for name in named:
        try:
            writers[name] = Writer(registry.writer_schema(int.from_bytes(name, "big"), TOUCHPOINTS))
        except UnknownSchema:
            continue
    return writers


def kept(database: Database) -> list[Kept]:
    """Where the tables have touchpoints: in journeys, also where their steps leave it out, or as copies."""
    aside = database.rows(f"""
        SELECT key, {_ms("at")} AS at, keys, via, sender, place FROM identity_touchpoint WHERE place <> 'transferred'
    """)
    omitted = {
        (row.key, bytes(row.keys)): Kept(row.key, row.sender, Told(row.via or row.key, row.at, bytes(row.keys)))
        for row in aside
        if row.place == "omitted"
    }
    found = [
        Kept(row.key, row.sender, Told(row.via or row.key, row.at, bytes(row.keys)), "copy")
        for row in aside
        if row.place == "copy"
    ]
    for row in database.rows("""
        SELECT customer, steps::text AS steps, keys FROM journey WHERE merged_into IS NULL AND moved_to IS NULL
    """):
        keys = bytes(row.keys)
        steps = parse_steps(row.steps, keys)
        for step in steps:
            via, sender = step.origin
            found.append(Kept(row.customer, sender, Told(via or row.customer, step.at, step.key)))
        for first in range(len(steps) * KEY_BYTES, len(keys), KEY_BYTES):
            key = keys[first : first + KEY_BYTES]
            found.append(omitted.get((row.customer, key)) or Kept(row.customer, "", Told("left out", 0, key)))
    return found


def transferred(database: Database) -> frozenset[Transfer]:
    """What keys have given to their holders, as the tables have it."""
    return frozenset(
        Transfer(row.holder, row.key, Told(row.via or row.key, row.at, bytes(row.keys)))
        for row in database.rows(f"""
            SELECT key, {_ms("at")} AS at, keys, via, holder FROM identity_touchpoint WHERE place = 'transferred'
        """)
    )


def unread(messages: Iterable[Message], database: Database) -> int:
    """Return how many records of the exchange topic are after the positions."""
    positions = database.rows("SELECT partition, next_exchange_offset FROM position")
    ends = {row.partition: row.next_exchange_offset for row in positions}
    return sum(message.offset() >= ends.get(message.partition(), 0) for message in messages)


def owners(database: Database) -> dict[str, list[Ownership]]:
    """Who holds each key, in order of time."""
    found: dict[str, list[Ownership]] = {}
    for row in database.rows(f"""
        SELECT key, {_ms("since")} AS since, {_ms("until")} AS until, {", ".join(_OWNER)}
        FROM identity_owner ORDER BY key, since
    """):
        found.setdefault(row.key, []).append(_ownership(row._asdict()))
    return found


def published(messages: Iterable[Message]) -> list[PublishedOwner]:
    """The records of identities.v1."""
    return [*_published(messages)]


def _published(messages: Iterable[Message]) -> Iterator[PublishedOwner]:
    schema = parse_safely(schema_text(IDENTITIES))
    for message in messages:
        says: Any = schemaless_reader(BytesIO(message.value()[HEADER_BYTES:]), schema, None)
        yield PublishedOwner(
            message.partition(), message.offset(), message.timestamp()[1], says["key"], _ownership(says)
        )


def _ownership(row: dict[str, Any]) -> Ownership:
    return Ownership(row["since"], row["until"], row["owner"], tuple(row[name] for name in _OWNER))


def _ms(column: str) -> str:
    return f"(extract(epoch FROM {column}) * 1000)::bigint"
