"""When records were appended, as the broker has noted it."""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaError, TopicPartition

from pipeline.errors import PipelineError
from pipeline.topics import TOUCHPOINTS

#: A timestamp that the broker has set when it appended the record.
_LOG_APPEND_TIME = 2


def appended(bootstrap_servers: str, prefix: bytes) -> dict[bytes, float]:
    """Key → epoch seconds of its record in touchpoints.v1, of keys that begin with `prefix`; reads the whole topic.

    Raises PipelineError when the topic keeps other timestamps than those of the append.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "bench-appended",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )
    try:
        waiting = set(consumer.list_topics(TOUCHPOINTS, 10).topics[TOUCHPOINTS].partitions)
        consumer.assign([TopicPartition(TOUCHPOINTS, number, 0) for number in waiting])
        found: dict[bytes, float] = {}
        while waiting:
            for message in consumer.consume(10_000, 1.0):
                if (error := message.error()) is not None:
                    if error.code() != KafkaError._PARTITION_EOF:
                        raise PipelineError(f"{TOUCHPOINTS} can't be read: {error.str()}")
                    waiting.discard(message.partition())
                elif message.key().startswith(prefix):
                    kind, at_ms = message.timestamp()
                    if kind != _LOG_APPEND_TIME:
                        raise PipelineError(f"{TOUCHPOINTS} does not keep the time of append.")
                    found[message.key()] = at_ms / 1000
        return found
    finally:
        consumer.close()
