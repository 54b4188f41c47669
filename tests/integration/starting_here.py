"""A pipeline that starts at the topic's present end, with empty tables: quicker than emptying the topics."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from harness import PARTITIONS, TABLES, Pipe, wait_until
from sqlalchemy import Engine, text

from pipeline.connections.kafka import KafkaConnection
from pipeline.ledger.ledger_id import renew_ledger_id
from pipeline.publishing.create_topics import create_topics
from pipeline.topics import TOUCHPOINTS


@dataclass
class PipeFromHere(Pipe):
    """`sent` are the touchpoints' records since the beginning of the test."""

    start: dict[int, int] = field(default_factory=dict)

    def sent(self) -> list[Message]:
        """All records of touchpoints.v1 that are new."""
        return [
            message
            for message in self.messages(TOUCHPOINTS)
            if (message.offset() or 0) >= self.start[message.partition() or 0]
        ]


def from_here(stack_env: dict[str, str], engine: Engine, folder: Path) -> PipeFromHere:
    """Empty the tables, and let workers read from the topic's end on."""
    servers = stack_env["KAFKA_BOOTSTRAP_SERVERS"]
    create_topics(KafkaConnection(bootstrap_servers=servers), PARTITIONS, 1)
    start = wait_until(lambda: _ends(servers), "touchpoints.v1 has leaders")
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {TABLES}"))
        renew_ledger_id(connection)
        for partition, offset in start.items():
            connection.execute(
                text("INSERT INTO position (topic, partition, next_offset, epoch, owner) VALUES (:t, :p, :o, 0, '')"),
                {"t": TOUCHPOINTS, "p": partition, "o": offset},
            )
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("PIPELINE_", "KAFKA_", "DATABASE_", "SCHEMA_"))}
    settings = {
        "PIPELINE_GROUP": f"test-{os.getpid()}-{time.monotonic_ns()}",
        "PIPELINE_METRICS_ADDRESS": "127.0.0.1:0",
    }
    return PipeFromHere({**outside, **stack_env, **settings}, engine, folder, start=start)


def _ends(servers: str) -> dict[int, int]:
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "reader"})
    try:
        partitions = consumer.list_topics(TOUCHPOINTS, 10).topics[TOUCHPOINTS].partitions
        if not partitions or any(each.leader < 0 for each in partitions.values()):
            return {}
        return {
            number: consumer.get_watermark_offsets(TopicPartition(TOUCHPOINTS, number), timeout=10)[1]
            for number in partitions
        }
    except KafkaException:  # a topic made just now
        return {}
    finally:
        consumer.close()
