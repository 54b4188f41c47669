"""Records that aiokafka cannot deliver: a header's name is not UTF-8. Another client reads the records around them."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from faust.types import TP

from pipeline.connections.kafka import KafkaConnection
from pipeline.flow.values import Headers

#: Number of records that are read around an unreadable one, so that many of them do not cost a second each.
_MAX_RECORDS = 5_000
#: Seconds that the broker has to answer.
_TIMEOUT_S = 10.0


@dataclass(slots=True)
class RereadRecord:
    """A record as the other client reads it; without headers when their names cannot be read."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Headers


def unreadable_partitions(fetcher: Any) -> Iterator[tuple[TP, int]]:
    """Yield the partitions at which aiokafka's fetcher has raised UnicodeDecodeError, and the offset of the record."""
    for tp, result in fetcher._records.items():
        records = getattr(result, "_partition_records", None)
        if records is not None and inspect.getgeneratorstate(records._records_iterator) == inspect.GEN_CLOSED:
            yield TP(tp.topic, tp.partition), records.next_fetch_offset


def reread(kafka: KafkaConnection, tp: TP, begin: int, beyond: int) -> list[RereadRecord]:
    """Return committed records of a partition from offset `begin` on, with one at or after `beyond` if there is one.

    Blocks. Raises TimeoutError when the broker does not answer.
    """
    consumer = Consumer(
        {
            **kafka.client_settings(),
            "group.id": "pipeline-reread",  # the client wants a name; nothing is committed under it
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    records: list[RereadRecord] = []
    try:
        consumer.assign([TopicPartition(tp.topic, tp.partition, begin)])
        end = time.monotonic() + _TIMEOUT_S
        while time.monotonic() < end:
            for message in consumer.consume(_MAX_RECORDS, 0.2):
                if (error := message.error()) is None:
                    records.append(_record(message))
                elif error.code() == KafkaError._PARTITION_EOF:
                    return records
            if len(records) >= _MAX_RECORDS and records[-1].offset >= beyond:
                return records
        raise TimeoutError(f"{tp.topic}/{tp.partition} could not be read again from offset {begin:,}")
    finally:
        consumer.close()


def _record(message: Message) -> RereadRecord:
    try:
        headers: Headers = tuple((name, value or b"") for name, value in message.headers() or ())
    except UnicodeDecodeError:
        headers = ()
    key, value = message.key(), message.value()
    assert not isinstance(key, str) and not isinstance(value, str)
    return RereadRecord(message.offset() or 0, key, value, message.timestamp()[1], headers)
