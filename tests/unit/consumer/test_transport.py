"""A slice begins where the one before it ended, whatever happens to what aiokafka reads in between."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from memory import Record

from pipeline.connections.kafka import KafkaConnection
from pipeline.consumer import transport
from pipeline.topics import TOUCHPOINTS

PLACE = TP(TOUCHPOINTS, 0)


class Client:
    """aiokafka's consumer, as far as it is asked here."""

    def __init__(self) -> None:
        self._fetcher = SimpleNamespace(_records={})
        #: How many more have come to the broker while records were waiting.
        self.rest = 0
        self._subscription = SimpleNamespace(subscription=SimpleNamespace())
        self.assign(0)

    def assign(self, offset: int) -> None:
        """A new assignment of the partition, to be read from an offset."""
        state = SimpleNamespace(position=offset)
        self._subscription.subscription.assignment = SimpleNamespace(state_value=lambda _tp: state)
        self.state = state

    def seek(self, _tp: TopicPartition, offset: int) -> None:
        self.state.position = offset

    async def position(self, _tp: TopicPartition) -> int:
        await asyncio.sleep(0)
        return int(self.state.position)


@pytest.fixture
def thread(monkeypatch: pytest.MonkeyPatch) -> Any:
    async def fetch(_self: Any, client: Client, number: int, timeout: float = 5) -> dict[TP, list[Record]]:
        if timeout < 1:
            number = client.rest
        if not number:
            return {}
        first = client.state.position
        client.state.position += number
        return {PLACE: [Record(offset, b"", b"") for offset in range(first, first + number)]}

    async def seek(_self: Any, client: Client, partitions: dict[TP, int]) -> None:
        for tp, offset in partitions.items():
            client.seek(tp, offset)
        for _ in range(3):
            await client.position(PLACE)

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", fetch)
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_seek_wait", seek)
    made = object.__new__(transport._Thread)
    made._delivered = transport.DeliveredOffsets()
    made.transport = SimpleNamespace(app=SimpleNamespace(kafka=KafkaConnection(bootstrap_servers="127.0.0.1:1")))
    return made


async def bounds(thread: Any, client: Client, number: int) -> tuple[int, int, int]:
    """Where the next records are said to begin, where they do, and where they end."""
    fetched = (await thread._fetch_records(client, number))[PLACE]
    return fetched.begin, fetched.first_offset, fetched.end


def test_slices_follow_each_other(thread: Any) -> None:
    async def run() -> None:
        client = Client()
        await thread._seek_wait(client, {PLACE: 5})
        assert await bounds(thread, client, 10) == (5, 5, 15)
        client.state.position += 1  # a transaction's mark
        assert await bounds(thread, client, 10) == (15, 16, 26)

    asyncio.run(run())


def test_records_that_come_while_a_seek_is_waited_for(thread: Any) -> None:
    async def run() -> None:
        client = Client()
        await thread._seek_wait(client, {PLACE: 5})
        seeking = asyncio.create_task(thread._seek_wait(client, {PLACE: 5}))
        await asyncio.sleep(0)
        assert await bounds(thread, client, 10) == (5, 5, 15)
        await seeking
        begin, first, _ = await bounds(thread, client, 10)
        assert begin == first

    asyncio.run(run())


def test_a_rebalance_while_records_are_read_around_leaves_positions_alone(
    thread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        client = Client()
        client._subscription.is_assigned = lambda _tp: True
        await thread._seek_wait(client, {PLACE: 50})

        def reread(*_: Any) -> list[Record]:
            client.assign(0)
            asyncio.run(thread._seek_wait(client, {PLACE: 15}))
            return [Record(50, b"", b"")]

        monkeypatch.setattr(transport, "reread", reread)
        assert await thread._read_around(client, {PLACE: 51}) == {}
        assert await bounds(thread, client, 10) == (15, 15, 25)

    asyncio.run(run())


def test_nothing_is_read_around_before_it_is_known_where_to_begin(thread: Any) -> None:
    async def run() -> None:
        client = Client()
        client._subscription.is_assigned = lambda _tp: True
        assert await thread._read_around(client, {PLACE: 51}) == {}
        await thread._seek_wait(client, {PLACE: 15})
        assert await bounds(thread, client, 10) == (15, 15, 25)

    asyncio.run(run())


def test_another_assignment_that_begins_elsewhere(thread: Any) -> None:
    """What Kafka's own offsets say is none of the ledger's business: records in between would be passed over."""

    async def run() -> None:
        client = Client()
        await thread._seek_wait(client, {PLACE: 5})
        assert await bounds(thread, client, 10) == (5, 5, 15)
        client.assign(40)
        assert await bounds(thread, client, 10) == (40, 40, 50)
        await thread._seek_wait(client, {PLACE: 15})
        assert await bounds(thread, client, 30) == (15, 15, 45)

    asyncio.run(run())


def test_records_that_have_been_waiting_bring_along_what_has_come_since(thread: Any) -> None:
    async def run() -> None:
        client = Client()
        await thread._seek_wait(client, {PLACE: 5})
        client.rest = 20
        assert await bounds(thread, client, 10) == (5, 5, 15)
        client._fetcher._records[PLACE] = "something"
        assert await bounds(thread, client, 10) == (15, 15, 45)
        client.rest = 0
        assert await bounds(thread, client, 10) == (45, 45, 55)

    asyncio.run(run())


def test_records_from_before_a_seek_are_not_put_together_with_those_after_it(
    thread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        client = Client()
        await thread._seek_wait(client, {PLACE: 50})
        fetch = driver.AIOKafkaConsumerThread._fetch_records

        async def sought(self: Any, client: Client, *args: Any, **kwargs: Any) -> Any:
            if "timeout" in kwargs:
                await thread._seek_wait(client, {PLACE: 15})
            return await fetch(self, client, *args, **kwargs)

        client._fetcher._records[PLACE], client.rest = "something", 20
        monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", sought)
        assert await bounds(thread, client, 10) == (15, 15, 35)
        monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", fetch)
        client._fetcher._records.clear()
        assert await bounds(thread, client, 10) == (35, 35, 45)

    asyncio.run(run())
