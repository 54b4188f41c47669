"""Reading topics and tables into a world."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition
from fastavro import schemaless_reader

from faults import identity
from faults.database import Database
from faults.world import DeadLetter, Position, PublishedJourney, PublishedScore, Record, World
from pipeline.connections.kafka import KafkaConnection
from pipeline.contract.encode import HEADER_BYTES
from pipeline.contract.registry import Registry
from pipeline.contract.schema import parse_safely
from pipeline.scores.registry import topic_schemas
from pipeline.topics import (
    CHURN_RISK,
    DEAD_LETTERS,
    EXCHANGE,
    FORWARDED_HEADER,
    IDENTITIES,
    JOURNEYS,
    SATISFACTION,
    TOUCHPOINTS,
)

_JOURNEY = (
    "status", "customer", "started_at", "ended_at", "covers_until", "touchpoints", "outcome", "failures", "abandoned",
    "merged_into", "moved_to",
)  # fmt: skip
_SATISFACTION = ("score", "low", "high", "answers", "answered", "as_of", "model")
_CHURN = ("probability", "band", "visits", "horizon_days", "as_of", "model")

#: What has to be the same in an undisturbed run. Journeys' ids and revisions depend on batches, and so does who was
#: absorbed; as of when a risk was stored depends on when workers looked, so it is compared as of one moment. What is
#: said of a quarantined record may name how far ahead of the clock it was. A key that nobody has ever held may have a
#: row that says so, once corrections have concerned it. Which omitted touchpoints have a row goes by batches.
_COMPARED = {
    "journey": """
        SELECT customer, partition, status, started_at, ended_at, covers_until, touchpoints, channels, outcome,
               failures, abandoned, begun_by_customer, steps, steps_omitted, keys
        FROM journey WHERE merged_into IS NULL AND moved_to IS NULL
    """,
    "satisfaction": "SELECT * FROM satisfaction",
    "churn_risk": """
        SELECT customer, partition, visits, first_active_at, last_active_at, account_closed_at, last_seen_at, evidence,
               activities, activity_weight, payments, paid, model
        FROM churn_risk
    """,
    "customer_evidence": "SELECT * FROM customer_evidence",
    "churn_risk_at": """
        SELECT customer, probability, band FROM churn_risk_at((SELECT max(last_seen_at) FROM churn_risk))
    """,
    "touchpoint_count": "SELECT * FROM touchpoint_count",
    "feedback": "SELECT * FROM feedback",
    "feedback_verbatim": "SELECT * FROM feedback_verbatim",
    "identity_owner": """
        SELECT * FROM identity_owner WHERE NOT (since < '0002-01-01' AND until > '9999-01-01' AND why = 'nobody')
    """,
    "identity_naming": "SELECT * FROM identity_naming",
    "identity_stretch": "SELECT * FROM identity_stretch",
    "identity_correction": "SELECT * FROM identity_correction",
    "identity_touchpoint": "SELECT * FROM identity_touchpoint WHERE place <> 'omitted'",
    "quarantine": "SELECT partition, reason, status, md5(raw) AS raw, key FROM quarantine",
    "position": """
        SELECT sum(processed) AS processed, sum(duplicates) AS duplicates, sum(quarantined) AS quarantined,
               sum(forwarded) AS forwarded
        FROM position
    """,
}


def messages(kafka: KafkaConnection, topic: str) -> Iterator[Message]:
    """All committed records of a topic, partition by partition in order."""
    consumer = Consumer(
        {
            **kafka.client_settings(), "group.id": "faults-reader", "enable.auto.commit": False,
            "isolation.level": "read_committed", "enable.partition.eof": True, "fetch.wait.max.ms": 10,
        }
    )  # fmt: skip
    try:
        for number in sorted(consumer.list_topics(topic, 10).topics[topic].partitions):
            consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING)])
            while True:
                message = consumer.poll(20)
                if message is None:
                    raise RuntimeError(f"{topic}/{number} can't be read to its end")
                if (error := message.error()) is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        break
                    raise RuntimeError(f"{topic}/{number}: {error}")
                yield message
    finally:
        consumer.close()


def touchpoint_records(kafka: KafkaConnection) -> list[Record]:
    """All of touchpoints.v1."""
    return [_record(message) for message in messages(kafka, TOUCHPOINTS)]


def tables(database: Database) -> dict[str, Counter[str]]:
    """The rows that are compared with those of another run, as text."""
    return {
        name: Counter(row.line for row in database.rows(f"SELECT row_to_json(t)::text AS line FROM ({query}) AS t"))
        for name, query in _COMPARED.items()
    }


def world(
    kafka: KafkaConnection,
    database: Database,
    accepted: int,
    records: Sequence[Record],
    undisturbed: dict[str, Counter[str]],
    registry: Registry,
) -> World:
    """All that is to be known of a run; to be called while the topics still hold it."""
    quarantined = [
        DeadLetter(row.partition, row.offset, None if row.raw is None else bytes(row.raw))
        for row in database.rows('SELECT partition, "offset", raw FROM quarantine')
    ]
    touchpoints, corrections = identity.told(records, {(each.partition, each.offset) for each in quarantined}, registry)
    return World(
        accepted=accepted,
        records=records,
        positions=[
            Position(*row)
            for row in database.rows(
                "SELECT partition, next_offset, processed, duplicates, quarantined, forwarded FROM position"
            )
        ],
        changes=database.all_changes(),
        journeys=[
            PublishedJourney(
                partition,
                offset,
                says["journey_id"],
                says["revision"],
                _journey(says),
                says["status"],
                says["touchpoints"],
            )
            for partition, offset, says in _decoded(kafka, JOURNEYS)
        ],
        journey_rows={
            row.id: (row.revision, _journey(row._asdict()))
            for row in database.rows(f"""
                SELECT journey_id::text AS id, revision, status, customer, touchpoints,
                       {_ms("started_at", "ended_at", "covers_until")},
                       outcome, failures, abandoned, merged_into::text AS merged_into, moved_to, channels, steps
                FROM journey
            """)
        },
        satisfaction=list(_scores(kafka, SATISFACTION, _SATISFACTION)),
        satisfaction_rows=_customer_rows(database, "satisfaction", _SATISFACTION),
        churn_risk=list(_scores(kafka, CHURN_RISK, _CHURN)),
        churn_risk_rows=_customer_rows(database, "churn_risk", _CHURN),
        letters=[_letter(message) for message in messages(kafka, DEAD_LETTERS)],
        quarantined=quarantined,
        outbox=database.rows("SELECT count(*) AS n FROM outbox")[0].n,
        tables=tables(database),
        undisturbed=undisturbed,
        corrections=corrections,
        touchpoints=touchpoints,
        kept=identity.kept(database),
        transferred=identity.transferred(database),
        unread=identity.unread(messages(kafka, EXCHANGE), database),
        waiting=database.rows("SELECT count(*) AS n FROM identity_restatement")[0].n,
        owners=identity.owners(database),
        identities=identity.published(messages(kafka, IDENTITIES)),
    )


def _record(message: Message) -> Record:
    headers = list(message.headers() or [])
    origin = next((value for name, value in headers if name == FORWARDED_HEADER), None)
    return Record(
        message.partition(), message.offset(), message.timestamp()[1] / 1000, origin and origin.decode(),
        message.key(), message.value(), headers,
    )  # fmt: skip


def _letter(message: Message) -> DeadLetter:
    headers = dict(message.headers() or [])
    return DeadLetter(int(headers["pipeline-partition"]), int(headers["pipeline-offset"]), message.value())


def _decoded(kafka: KafkaConnection, topic: str) -> Iterator[tuple[int, int, dict[str, Any]]]:
    schema = parse_safely(topic_schemas()[topic])
    for message in messages(kafka, topic):
        body = BytesIO(message.value()[HEADER_BYTES:])
        yield message.partition(), message.offset(), schemaless_reader(body, schema, None)


def _scores(kafka: KafkaConnection, topic: str, names: Sequence[str]) -> Iterator[PublishedScore]:
    """Records without a value, too: of customers who have no score any more."""
    schema = parse_safely(topic_schemas()[topic])
    for message in messages(kafka, topic):
        value, place = message.value(), (message.partition(), message.offset())
        if value is None:
            yield PublishedScore(*place, message.key().decode(), None)
            continue
        says: Any = schemaless_reader(BytesIO(value[HEADER_BYTES:]), schema, None)
        yield PublishedScore(*place, says["customer"], tuple(says[name] for name in names))


def _journey(says: dict[str, Any]) -> tuple[Any, ...]:
    steps = tuple((step["channel"], step["kind"], step["outcome"]) for step in says["steps"])
    return (*(says[name] for name in _JOURNEY), tuple(sorted(says["channels"].items())), hash(steps))


def _customer_rows(database: Database, table: str, names: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    columns = ", ".join(_ms(name) if name == "as_of" else name for name in names)
    return {row.customer: tuple(row[1:]) for row in database.rows(f"SELECT customer, {columns} FROM {table}")}


def _ms(*names: str) -> str:
    """Moments as epoch milliseconds."""
    return ", ".join(f"(extract(epoch FROM {name}) * 1000)::bigint AS {name}" for name in names)
