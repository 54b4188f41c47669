"""What every publisher does: cases that run on an empty topic, in Kafka or in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from pipeline.ledger.positions import Position
from pipeline.publishing.publisher import Interrupted, RecordPublisher
from pipeline.publishing.records import OutgoingRecord
from pipeline.topics import JOURNEYS


@dataclass
class Published:
    """A publisher, how to make its open transaction void, and the values that a consumer of committed records reads."""

    publisher: RecordPublisher
    interrupt: Callable[[], None]
    values: Callable[[], Sequence[bytes | None]]


def position(commits: int, partition: int = 0, lineage: str = "a") -> Position:
    return Position("t", partition, 1, commits, commits * 10, 0, lineage)


def records(*values: bytes) -> list[OutgoingRecord]:
    return [OutgoingRecord(JOURNEYS, b"key", value) for value in values]


async def what_is_settled_is_published_once_and_in_order(given: Published) -> None:
    assert await given.publisher.ready()
    await given.publisher.send(position(1), records(b"a", b"b"))
    await given.publisher.send(position(2), records(b"c"))
    await given.publisher.settle()
    assert given.values() == [b"a", b"b", b"c"]
    assert given.publisher.confirmed(0) == 2
    assert not await given.publisher.ready()
    assert given.values() == [b"a", b"b", b"c"]


async def it_is_known_up_to_which_commit_of_the_ledger_all_is_published(given: Published) -> None:
    await given.publisher.ready()
    await given.publisher.send(position(3), records(b"a"))
    await given.publisher.send(position(5, partition=1), [])
    await given.publisher.settle()
    assert await given.publisher.published([position(7), position(5, partition=1), position(1, partition=2)]) == {
        0: 3,
        1: 5,
        2: 0,
    }
    assert await given.publisher.published([position(7, lineage="made anew")]) == {0: 0}
    assert await given.publisher.published([position(2)]) == {0: 0}  # the ledger was put back to an earlier state


async def nothing_can_be_sent_before_it_is_ready(given: Published) -> None:
    assert given.publisher.interrupted
    with pytest.raises(Interrupted):
        await given.publisher.send(position(1), records(b"a"))
    with pytest.raises(Interrupted):
        await given.publisher.settle()
    assert await given.publisher.ready()
    assert not given.publisher.interrupted


async def after_an_interruption_nothing_of_the_open_transaction_is_published(given: Published) -> None:
    await given.publisher.ready()
    await given.publisher.send(position(1), records(b"a"))
    await given.publisher.settle()
    await given.publisher.send(position(2), records(b"lost"))
    given.interrupt()
    with pytest.raises(Interrupted):
        await given.publisher.settle()
    assert given.publisher.interrupted
    assert await given.publisher.ready()
    assert await given.publisher.published([position(2)]) == {0: 1}
    await given.publisher.send(position(2), records(b"b"))
    await given.publisher.settle()
    assert given.values() == [b"a", b"b"]


async def what_is_confirmed_can_be_forgotten(given: Published) -> None:
    await given.publisher.ready()
    await given.publisher.send(position(1), records(b"a"))
    await given.publisher.settle()
    given.publisher.forget(0)
    given.publisher.forget(9)
    assert given.publisher.confirmed(0) == 0
    assert await given.publisher.published([position(1)]) == {0: 1}
    assert given.publisher.confirmed(0) == 1


CASES = [
    what_is_settled_is_published_once_and_in_order,
    it_is_known_up_to_which_commit_of_the_ledger_all_is_published,
    nothing_can_be_sent_before_it_is_ready,
    after_an_interruption_nothing_of_the_open_transaction_is_published,
    what_is_confirmed_can_be_forgotten,
]
