"""Publishing: whatever the timing, records come out in order, with the commit's number in the same transaction."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from pipeline.ledger.positions import Position
from pipeline.observe.health import Health
from pipeline.publishing import kafka_publisher as module
from pipeline.publishing.kafka_publisher import KafkaPublisher
from pipeline.publishing.publisher import Interrupted
from pipeline.publishing.records import OutgoingRecord


class Topic:
    """What TransactionalProducer is to KafkaPublisher, with a broker's part: records of ended transactions are kept."""

    def __init__(self, ends_slowly: bool = False) -> None:
        self.records: list[OutgoingRecord] = []
        self.marks: dict[int, int] = {}
        self.room = 3
        self.failures = 0
        self.refused: OutgoingRecord | None = None
        self.may_end = threading.Event()
        if not ends_slowly:
            self.may_end.set()
        self._open: list[OutgoingRecord] = []
        self._room = self.room

    def begin(self, _instance: str) -> None:
        self._open = []

    def drop(self) -> None:
        self._open = []

    def fence(self, instance: str) -> None:
        raise AssertionError(instance)

    def published(self, positions: Iterable[Position]) -> dict[int, int]:
        return {each.partition: self.marks.get(each.partition, 0) for each in positions}

    def put(self, records: Iterable[OutgoingRecord]) -> Iterable[OutgoingRecord]:
        records = iter(records)
        for record in records:
            if record == self.refused:
                raise Interrupted("fenced")
            if not self._room:
                return [record, *records]
            self._room -= 1
            self._open.append(record)
        return ()

    def make_room(self) -> None:
        self._room = self.room

    def end(self, marks: Mapping[int, Position]) -> None:
        assert self.may_end.wait(10)
        if self.failures:
            self.failures -= 1
            raise Interrupted("void")
        self.records += self._open
        self._open = []
        self.marks |= {number: each.commits for number, each in marks.items()}
        self._room = self.room


def position(partition: int, commits: int) -> Position:
    return Position("t", partition, 1, commits, commits * 10, 0, "a")


def record(partition: int, commits: int, number: int = 0) -> OutgoingRecord:
    return OutgoingRecord("t", None, f"{partition}/{commits}/{number}".encode())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 7), st.sampled_from(["", "yield", "settle"])), max_size=30))
def test_all_records_come_out_in_order_and_are_confirmed(sends: list[tuple[int, int, str]]) -> None:
    topic = Topic()

    async def run() -> KafkaPublisher:
        publisher = KafkaPublisher(topic, "one", Health())  # type: ignore[arg-type]
        assert await publisher.ready()
        commits = [0, 0, 0]
        for partition, count, then in sends:
            commits[partition] += 1
            sent = [record(partition, commits[partition], number) for number in range(count)]
            await publisher.send(position(partition, commits[partition]), sent)
            expected.extend(sent)
            if then == "yield":
                await asyncio.sleep(0)
            elif then == "settle":
                await publisher.settle()
        await publisher.settle()
        for partition, number in enumerate(commits):
            assert publisher.confirmed(partition) == topic.marks.get(partition, 0) == number
        return publisher

    expected: list[OutgoingRecord] = []
    pause, module._INTERVAL_S = module._INTERVAL_S, 0.0005
    try:
        asyncio.run(run())
    finally:
        module._INTERVAL_S = pause
    assert topic.records == expected


def test_what_is_not_ended_is_not_confirmed_and_what_comes_meanwhile_waits_for_the_next_transaction() -> None:
    topic = Topic(ends_slowly=True)

    async def run() -> None:
        publisher = KafkaPublisher(topic, "one", Health())  # type: ignore[arg-type]
        await publisher.ready()
        await publisher.send(position(0, 1), [record(0, 1)])
        while not publisher._closing:
            await asyncio.sleep(0)
        await publisher.send(position(0, 2), [record(0, 2)])
        assert (publisher.confirmed(0), topic.records) == (0, [])
        topic.may_end.set()
        await publisher.settle()
        assert publisher.confirmed(0) == 2

    asyncio.run(run())
    assert topic.records == [record(0, 1), record(0, 2)]


def test_after_an_interruption_nothing_goes_out_before_it_begins_anew() -> None:
    topic = Topic()
    topic.failures = 1

    async def run() -> None:
        publisher = KafkaPublisher(topic, "one", Health())  # type: ignore[arg-type]
        await publisher.ready()
        await publisher.send(position(0, 1), [record(0, 1)])
        with pytest.raises(Interrupted):
            await publisher.settle()
        assert publisher.interrupted
        with pytest.raises(Interrupted):
            await publisher.send(position(0, 2), [record(0, 2)])
        assert await publisher.ready()
        assert not publisher.interrupted
        assert await publisher.published([position(0, 2)]) == {0: 0}
        await publisher.send(position(0, 2), [record(0, 1), record(0, 2)])
        await publisher.settle()

    asyncio.run(run())
    assert topic.records == [record(0, 1), record(0, 2)]


@pytest.mark.parametrize("has_more", [False, True])
def test_records_that_are_refused_interrupt_publishing_and_nothing_of_their_commit_comes_out(has_more: bool) -> None:
    topic = Topic()
    topic.refused = record(0, 2, 1)

    async def run() -> None:
        publisher = KafkaPublisher(topic, "one", Health())  # type: ignore[arg-type]
        await publisher.ready()
        if has_more:
            await publisher.send(position(0, 1), [record(0, 1)])
        with pytest.raises(Interrupted):
            await publisher.send(position(0, 2), [record(0, 2, 0), record(0, 2, 1)])
        assert publisher.interrupted
        topic.refused = None
        assert await publisher.ready()
        assert await publisher.published([position(0, 2)]) == {0: 0}
        await publisher.send(position(0, 2), [record(0, 2, 0), record(0, 2, 1)])
        await publisher.settle()

    asyncio.run(run())
    assert topic.records == [record(0, 2, 0), record(0, 2, 1)]


def test_nothing_of_a_commit_comes_out_whose_records_were_broken_off() -> None:
    class Full(Topic):
        is_full = threading.Event()

        def make_room(self) -> None:
            self.is_full.set()

    async def test() -> None:
        topic = Full()
        publisher = KafkaPublisher(topic, "one", Health())  # type: ignore[arg-type]
        await publisher.ready()
        sending = asyncio.create_task(publisher.send(position(0, 1), [record(0, 1, n) for n in range(9)]))
        await asyncio.to_thread(topic.is_full.wait)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert publisher.interrupted
        with pytest.raises(Interrupted):
            await publisher.send(position(0, 1), [record(0, 1)])
        assert await publisher.ready()
        await publisher.settle()
        assert topic.records == []

    asyncio.run(test())


def test_nothing_comes_out_after_a_commit_that_was_broken_off_before_its_records_were_taken() -> None:
    async def test() -> None:
        topic = Topic()
        publisher = KafkaPublisher(topic, "one", Health())  # type: ignore[arg-type]
        await publisher.ready()
        async with publisher._lock:
            sending = asyncio.create_task(publisher.send(position(0, 1), [record(0, 1)]))
            await asyncio.sleep(0)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
        assert publisher.interrupted
        with pytest.raises(Interrupted):
            await publisher.send(position(0, 2), [record(0, 2)])
        assert await publisher.ready()
        assert await publisher.published([position(0, 2)]) == {0: 0}

    asyncio.run(test())


@pytest.mark.parametrize("refused", [None, record(0, 1)])
def test_whoever_is_the_first_to_notice_an_interruption_it_is_told_once(refused: OutgoingRecord | None) -> None:
    topic = Topic()
    topic.failures, topic.refused = 1, refused

    async def run() -> None:
        publisher = KafkaPublisher(topic, "one", Health())  # type: ignore[arg-type]
        assert await publisher.ready()
        with contextlib.suppress(Interrupted):
            await publisher.send(position(0, 1), [record(0, 1)])
        assert await publisher.ready()
        assert not await publisher.ready()

    with capture_logs() as told:
        asyncio.run(run())
    assert [entry["event"] for entry in told] == ["publishing was interrupted, beginning anew"]
    assert told[0]["why"]


@pytest.mark.parametrize("something_is_sent", [True, False])
def test_an_outage_of_the_topics_lasts_until_they_take_something_or_nothing_is_left(something_is_sent: bool) -> None:
    topic, health = Topic(), Health()
    topic.failures = 2

    async def run() -> None:
        publisher = KafkaPublisher(topic, "one", health)  # type: ignore[arg-type]
        await publisher.ready()
        since = None
        for _ in range(2):
            await publisher.send(position(0, 1), [record(0, 1)])
            with pytest.raises(Interrupted):
                await publisher.settle()
            assert await publisher.ready()
            assert health.away["publishing"].why == "void"
            since = since or health.away["publishing"].since
            assert health.away["publishing"].since == since, "the second failure is of the same outage"
        if something_is_sent:
            await publisher.send(position(0, 1), [record(0, 1)])
        await publisher.settle()
        assert health.away == {}

    asyncio.run(run())


def test_an_interruption_while_it_is_asked_what_is_published_lets_it_begin_anew() -> None:
    class Fenced(Topic):
        fails = True

        def published(self, positions: Iterable[Position]) -> dict[int, int]:
            if self.fails:
                self.fails = False
                raise Interrupted("fenced")
            return super().published(positions)

    async def run() -> None:
        publisher = KafkaPublisher(Fenced(), "one", Health())  # type: ignore[arg-type]
        await publisher.ready()
        with pytest.raises(Interrupted):
            await publisher.published([position(0, 1)])
        assert publisher.interrupted
        assert await publisher.ready()
        assert await publisher.published([position(0, 1)]) == {0: 0}

    asyncio.run(run())
