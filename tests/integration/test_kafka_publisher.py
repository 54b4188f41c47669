"""The publisher to Kafka keeps the contract of publishers, on a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from contracts.publisher import CASES, Published
from harness import Pipe

from pipeline.connections.kafka import KafkaConnection
from pipeline.observe.health import Health
from pipeline.publishing.kafka_publisher import KafkaPublisher
from pipeline.publishing.transactional_producer import TransactionalProducer
from pipeline.topics import JOURNEYS


def producer(pipe: Pipe) -> TransactionalProducer:
    servers, group = pipe.env["KAFKA_BOOTSTRAP_SERVERS"], pipe.env["PIPELINE_GROUP"]
    return TransactionalProducer(KafkaConnection(bootstrap_servers=servers), group, 1 << 20, lambda _place: None)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_contract(case: Callable[[Published], Awaitable[None]], pipe: Pipe) -> None:
    async def run() -> None:
        publisher = KafkaPublisher(producer(pipe), "one", Health())
        given = Published(
            publisher,
            interrupt=lambda: producer(pipe).fence("one"),
            values=lambda: [message.value() for message in pipe.messages(JOURNEYS)],
        )
        try:
            await case(given)
        finally:
            await publisher.close()

    asyncio.run(run())
