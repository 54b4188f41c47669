"""Records that aiokafka can't hand on: names of headers that are not UTF-8. Another client reads that stretch."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from faust.types import TP

from pipeline.flow.values import Headers

#: So many records are read around an unreadable one: a producer that sends many of them shall not cost a second each.
_MOST = 5_000
_PATIENCE_S = 10.0


@dataclass(slots=True)
class Reread:
    """A record as the other client has it; without headers when their names can't be read."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Headers


def stuck(fetcher: Any) -> Iterator[tuple[TP, int]]:
    """Of aiokafka's fetcher after UnicodeDecodeError: partitions with an unreadable record, and from where."""
    for tp, result in fetcher._records.items():
        records = getattr(result, "_partition_records", None)
        if records is not None and inspect.getgeneratorstate(records._records_iterator) == inspect.GEN_CLOSED:
            yield TP(tp.topic, tp.partition), records.next_fetch_offset


def reread(servers: str, tp: TP, begin: int, beyond: int) -> list[Reread]:
    """Committed records of a partition from offset `begin` on, at least one at or after `beyond` if there is one.

    Blocks. Raises TimeoutError when the broker does not answer.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "pipeline-reread",  # the client asks for a name; nothing is committed under it
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "log_level": 0,
            "error_cb": lambda _error: None,
        }
    )
    found: list[Reread] = []
    try:
        consumer.assign([TopicPartition(tp.topic, tp.partition, begin)])
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            for message in consumer.consume(_MOST, 0.2):
                if (error := message.error()) is None:
                    found.append(_record(message))
                elif error.code() == KafkaError._PARTITION_EOF:
                    return found
            if len(found) >= _MOST and found[-1].offset >= beyond:
                return found
        raise TimeoutError(f"{tp.topic}/{tp.partition} could not be read again from offset {begin:,}")
    finally:
        consumer.close()


def _record(message: Message) -> Reread:
    try:
        headers: Headers = tuple((name, value or b"") for name, value in message.headers() or ())
    except UnicodeDecodeError:
        headers = ()
    key, value = message.key(), message.value()
    assert not isinstance(key, str) and not isinstance(value, str)
    return Reread(message.offset() or 0, key, value, message.timestamp()[1], headers)
