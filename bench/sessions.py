"""The sessions that jobs found, from their topics and tables, and the true ones, counted by no engine."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import NamedTuple

import fastavro
import orjson
import psycopg
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from pipeline.contract.schema import parse_safely, schema_text
from pipeline.errors import PipelineError
from pipeline.topics import TOUCHPOINTS

GAP_MS = 30 * 60_000
_HEADER_BYTES = 5

#: customer, first and last occurred_at in epoch milliseconds, number of touchpoints
Session = tuple[str, int, int, int]


class Found(NamedTuple):
    """What is compared of jobs; the checksum is the same for the same set of sessions."""

    sessions: int
    events_in_sessions: int
    checksum: int


def found(sessions: Iterable[Session]) -> Found:
    """Count sessions."""
    count = events = checksum = 0
    for customer, first, last, touchpoints in sessions:
        count += 1
        events += touchpoints
        checksum += zlib.crc32(f"{customer},{first},{last},{touchpoints}".encode())
    return Found(count, events, checksum & 0xFFFFFFFF)


def true_sessions(servers: str) -> Iterator[Session]:
    """By sorting all touchpoints of a customer, and splitting where more than 30 minutes lie between two.

    Nothing is too late here. None of the pipeline's code but the contract has a part in it.
    """
    schema = parse_safely(schema_text(TOUCHPOINTS))
    times: defaultdict[str, list[int]] = defaultdict(list)
    for value in values(servers, TOUCHPOINTS):
        body = BytesIO(value)
        body.seek(_HEADER_BYTES)
        touchpoint = fastavro.schemaless_reader(body, schema, None)
        times[touchpoint["customer_id"]].append(touchpoint["occurred_at"])
    for customer, moments in times.items():
        moments.sort()
        start = 0
        for end in range(1, len(moments) + 1):
            if end == len(moments) or moments[end] - moments[end - 1] > GAP_MS:
                yield customer, moments[start], moments[end - 1], end - start
                start = end


def of_journeys(ledger: psycopg.Connection[tuple[object, ...]]) -> Iterator[Session]:
    """Those of the pipeline."""
    yield from ledger.execute(
        "SELECT substr(customer, length('customer:') + 1), (extract(epoch FROM started_at) * 1000)::bigint, "
        "(extract(epoch FROM ended_at) * 1000)::bigint, touchpoints FROM journey WHERE status <> 'merged'"
    )  # type: ignore[misc]


def of_table(ledger: psycopg.Connection[tuple[object, ...]], name: str) -> Iterator[Session]:
    """Those of a peer that writes into a table."""
    yield from ledger.execute(f'SELECT customer, first, last, count FROM "{name}"')  # type: ignore[arg-type, misc]


def of_topic(servers: str, name: str) -> Iterator[Session]:
    """Those of a peer that writes into a topic.

    An engine may write a session each time it grows, or once, when it closes: a later record of a customer takes the
    place of the earlier ones that it overlaps.
    """
    held: defaultdict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
    for value in values(servers, name):
        session = orjson.loads(value)
        mine = held[session["customer"]]
        for first in [f for f, (last, _) in mine.items() if f <= session["last"] and last >= session["first"]]:
            del mine[first]
        mine[session["first"]] = (session["last"], session["count"])
    for customer, mine in held.items():
        for first, (last, touchpoints) in mine.items():
            yield customer, first, last, touchpoints


def values(servers: str, topic: str) -> Iterator[bytes]:
    """Yield the values of a topic's committed records, partition by partition in order."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "bench-reader",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )
    try:
        left = set(consumer.list_topics(topic, 10).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in left])
        while left:
            if not (messages := consumer.consume(5_000, 30)):
                raise PipelineError(f"Nothing more comes of {topic} after 30 s.")
            for message in messages:
                if (error := message.error()) is None:
                    if (value := message.value()) is not None:
                        yield value
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard(message.partition())
                else:
                    raise PipelineError(f"{topic}: {error.str()}")
    finally:
        consumer.close()
