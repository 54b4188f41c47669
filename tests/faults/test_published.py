"""The gate sees how far publishing is, and that it stands still."""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from faults import published
from pipeline.connections.kafka import KafkaConnection
from pipeline.topics import TOUCHPOINTS


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({0: 5, 1: 3}, []),
        ({0: 5, 1: 2}, [1]),
        ({0: 6}, [1]),
        ({}, [0, 1]),
    ],
)
def test_a_partition_whose_commits_are_not_published_is_behind(told: dict[int, int], expected: list[int]) -> None:
    assert published.behind({0: 5, 1: 3}, told) == expected


def test_the_number_of_the_last_published_commit_is_read_from_kafka(stack_env: dict[str, str]) -> None:
    servers = stack_env["KAFKA_BOOTSTRAP_SERVERS"]
    admin = AdminClient({"bootstrap.servers": servers})
    is_there = TOUCHPOINTS in admin.list_topics(timeout=10).topics
    if not is_there:
        admin.create_topics([NewTopic(TOUCHPOINTS, 2)])[TOUCHPOINTS].result()
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "gate-test.published", "enable.auto.commit": False})
    consumer.commit(offsets=[TopicPartition(TOUCHPOINTS, 0, 17, metadata="a-lineage 4")], asynchronous=False)
    consumer.close()
    found = published.commits(KafkaConnection(bootstrap_servers=servers), "gate-test", 2)
    assert found == {0: 4, 1: 0}
    assert published.behind({0: 5, 1: 0}, found) == [0]
    if not is_there:
        admin.delete_topics([TOUCHPOINTS])[TOUCHPOINTS].result()
