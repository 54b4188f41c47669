"""journeys.v1 as a table: compaction keeps every journey, and a topic that was made anew is filled from the ledger."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from itertools import count

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from harness import PARTITIONS, Pipe, wait_until

from pipeline.client import JourneyConsumer, JourneyRevision
from pipeline.connections.kafka import KafkaConnection
from pipeline.contract.partition import partition_of
from pipeline.publishing.create_topics import create_topics
from pipeline.topics import JOURNEYS
from pipeline.touchpoint import Touchpoint

DAY_MS = 86_400_000
BEGIN_MS = 1_777_600_000_000
#: Makes the broker compact at once all segments but the last one.
COMPACT_AT_ONCE = {
    "min.compaction.lag.ms": "0",
    "max.compaction.lag.ms": "100",
    "min.cleanable.dirty.ratio": "0.0",
    "segment.ms": "500",
}


def touchpoints(day: int) -> Iterator[Touchpoint]:
    """A visit of 20 customers on a day."""
    for customer in range(20):
        for number in range(3):
            yield Touchpoint(
                event_id=f"{day}-{customer}-{number}",
                source="shop",
                occurred_at=BEGIN_MS + day * DAY_MS + customer * 1000 + number * 60_000,
                channel="web",
                kind="page_viewed",
                customer_id=f"c{customer}",
            )


def consumer(pipe: Pipe, group: str, *, until_end: bool = True) -> JourneyConsumer:
    kafka, registry = pipe.env["KAFKA_BOOTSTRAP_SERVERS"], pipe.env["SCHEMA_REGISTRY_URL"]
    return JourneyConsumer(kafka, registry, group=group, until_end=until_end)


def read_all(pipe: Pipe, group: str) -> dict[str, JourneyRevision]:
    with consumer(pipe, group) as journeys:
        return {journey.journey_id: journey for journey in journeys}


def of_table(pipe: Pipe) -> dict[str, tuple[object, ...]]:
    rows = pipe.sql("SELECT journey_id::text, revision, status, customer, touchpoints, started_at FROM journey")
    return {row[0]: tuple(row[1:]) for row in rows}


def fields(journey: JourneyRevision) -> tuple[object, ...]:
    return journey.revision, journey.status, journey.customer, journey.touchpoints, journey.started_at


def alter(pipe: Pipe, configuration: dict[str, str]) -> None:
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in configuration.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, JOURNEYS, incremental_configs=entries)
    admin = AdminClient({"bootstrap.servers": pipe.env["KAFKA_BOOTSTRAP_SERVERS"]})
    admin.incremental_alter_configs([resource])[resource].result(30)


def test_a_compacted_topic_read_from_its_beginning_gives_the_journeys_of_the_table(pipe: Pipe) -> None:
    alter(pipe, COMPACT_AT_ONCE)
    for day in range(3):
        for is_second in (False, True):  # the second half of each visit makes second revisions
            pipe.publish(t for t in touchpoints(day) if t.event_id.endswith("2") == is_second)
            pipe.work()
    keys = [message.key() for message in pipe.messages(JOURNEYS)]
    assert len(keys) > len(set(keys)), "nothing to compact"

    def is_compacted() -> bool:
        # Further records on all partitions close the segments that hold the others.
        pipe.publish(touchpoints(100 + next(days)))
        pipe.work()
        times = Counter(m.key() for m in pipe.messages(JOURNEYS) if m.key() in set(keys))
        return max(times.values()) == 1

    days = count()

    wait_until(is_compacted, "each journey is in the topic once", 120)
    assert set(keys) <= {message.key() for message in pipe.messages(JOURNEYS)}
    assert {key: fields(journey) for key, journey in read_all(pipe, "compacted").items()} == of_table(pipe)
    latest = {message.key(): message for message in pipe.messages(JOURNEYS)}
    assert len(latest) == len(of_table(pipe))


def test_the_key_is_the_customers_and_the_journeys_and_the_partition_the_customers(pipe: Pipe) -> None:
    pipe.publish(touchpoints(0))
    pipe.work()
    messages = pipe.messages(JOURNEYS)
    assert messages
    for message in messages:
        key = message.key()
        assert isinstance(key, bytes)
        customer, _, journey_id = key.decode().rpartition("/")
        assert journey_id in of_table(pipe)
        assert message.partition() == partition_of(customer.encode(), PARTITIONS)


def test_a_topic_that_was_made_anew_is_filled_from_the_ledger_as_the_docs_say(pipe: Pipe) -> None:
    pipe.publish(touchpoints(0))
    pipe.publish(touchpoints(5))
    pipe.work()
    servers = pipe.env["KAFKA_BOOTSTRAP_SERVERS"]
    admin = AdminClient({"bootstrap.servers": servers})
    admin.delete_topics([JOURNEYS])[JOURNEYS].result(30)
    wait_until(lambda: JOURNEYS not in admin.list_topics(timeout=10).topics, "the topic is deleted")
    create_topics(KafkaConnection(bootstrap_servers=servers), PARTITIONS, 1)
    pipe.run("topic", "republish")
    pipe.work()
    assert {key: fields(journey) for key, journey in read_all(pipe, "anew").items()} == of_table(pipe)
    assert pipe.sql("SELECT count(*) FROM outbox") == [(0,)]


def test_a_topic_with_another_number_of_partitions_is_refused(pipe: Pipe) -> None:
    servers = pipe.env["KAFKA_BOOTSTRAP_SERVERS"]
    admin = AdminClient({"bootstrap.servers": servers})
    admin.delete_topics([JOURNEYS])[JOURNEYS].result(30)
    wait_until(lambda: JOURNEYS not in admin.list_topics(timeout=10).topics, "the topic is deleted")
    create_topics(KafkaConnection(bootstrap_servers=servers), PARTITIONS + 1, 1)
    done = pipe.run("worker", "--until-idle", "1", check=False)
    assert done.returncode == 2
    assert f"{JOURNEYS} has {PARTITIONS + 1} partitions" in done.stderr


def test_a_consumer_resumes_where_its_group_was_and_is_an_async_iterator_too(pipe: Pipe) -> None:
    pipe.publish(touchpoints(0))
    pipe.work()
    first = read_all(pipe, "resumes")
    assert len(first) == 20
    assert all(journey.steps[0].kind == "page_viewed" for journey in first.values())
    assert read_all(pipe, "resumes") == {}
    pipe.publish(touchpoints(9))
    pipe.work()

    async def read() -> dict[str, JourneyRevision]:
        with consumer(pipe, "resumes") as journeys:
            return {journey.journey_id: journey async for journey in journeys}

    changed = asyncio.run(read())
    assert {journey_id: fields(journey) for journey_id, journey in changed.items()}.items() <= of_table(pipe).items()
    assert changed.keys() - first.keys() == of_table(pipe).keys() - first.keys()


def test_a_loop_that_is_left_gets_the_last_journey_again(pipe: Pipe) -> None:
    pipe.publish(t for t in touchpoints(0) if t.customer_id == "c1")
    pipe.work()
    with consumer(pipe, "left") as journeys:
        seen = next(iter(journeys))
    assert read_all(pipe, "left") == {seen.journey_id: seen}


@pytest.mark.parametrize("server", ["KAFKA_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL"])
def test_a_server_that_is_away_is_named(pipe: Pipe, server: str) -> None:
    from pipeline.errors import Unavailable

    pipe.publish(t for t in touchpoints(0) if t.customer_id == "c1")
    pipe.work()
    kafka, registry = pipe.env["KAFKA_BOOTSTRAP_SERVERS"], pipe.env["SCHEMA_REGISTRY_URL"]
    if server == "KAFKA_BOOTSTRAP_SERVERS":
        kafka = "127.0.0.1:1"
    else:
        registry = "http://127.0.0.1:1"
    with pytest.raises(Unavailable, match=server), JourneyConsumer(kafka, registry, group="away") as journeys:
        next(iter(journeys))
