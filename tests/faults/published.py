"""Up to which of the ledger's commits Kafka has what was published."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition

from pipeline.connections.kafka import KafkaConnection
from pipeline.topics import TOUCHPOINTS


def behind(committed: Mapping[int, int], published: Mapping[int, int]) -> list[int]:
    """Partitions of which not every commit is published."""
    return [number for number, commits in committed.items() if published.get(number, 0) < commits]


def commits(kafka: KafkaConnection, group: str, partitions: int) -> dict[int, int]:
    """Partition → number of the last commit that is published, 0 for none; empty while the broker does not say.

    Workers keep it beside an offset, as the metadata `<lineage> <number>`.
    """
    consumer = Consumer({**kafka.client_settings(), "group.id": f"{group}.published", "enable.auto.commit": False})
    try:
        found = consumer.committed([TopicPartition(TOUCHPOINTS, number) for number in range(partitions)], timeout=5)
    except KafkaException:
        return {}
    finally:
        consumer.close()
    return {each.partition: int((each.metadata or "- 0").rpartition(" ")[2]) for each in found}
