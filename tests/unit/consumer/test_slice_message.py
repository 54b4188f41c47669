"""The records of a fetch are delivered in slices, which know of each other once."""

from __future__ import annotations

import gc
import weakref
from itertools import pairwise

from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st
from memory import Record

from pipeline.consumer.slice_message import SliceMessage, slice_scheduler
from pipeline.flow.slices import Slice
from pipeline.topics import TOUCHPOINTS


def fetched(sizes: list[int]) -> dict[TP, Slice]:
    return {
        TP(TOUCHPOINTS, number): Slice(number, 1, size + 5, [Record(at, b"", b"") for at in range(3, 3 + size)])
        for number, size in enumerate(sizes)
    }


@given(st.lists(st.integers(1, 30), min_size=1, max_size=5), st.integers(1, 40))
def test_slices_follow_each_other_without_a_gap(sizes: list[int], most: int) -> None:
    by_partition: dict[int, list[Slice]] = {}
    for tp, message in slice_scheduler(most)().iterate(fetched(sizes)):
        assert tp.partition == message.partition
        assert 1 <= len(message.slice.records) <= most
        by_partition.setdefault(message.partition, []).append(message.slice)
    for number, slices in by_partition.items():
        assert (slices[0].begin, slices[-1].end) == (1, sizes[number] + 5)
        assert all(one.end == next_one.begin for one, next_one in pairwise(slices))
        assert [r.offset for each in slices for r in each.records] == list(range(3, 3 + sizes[number]))


def test_the_first_that_is_asked_knows_all_that_came_with_it() -> None:
    messages = [message for _, message in slice_scheduler(10)().iterate(fetched([5, 20]))]
    assert [[each.partition for each in message.take_round()] for message in messages] == [[0, 1], [1], [1]]


def test_slices_do_not_keep_each_other_in_memory() -> None:
    messages: list[SliceMessage] = [each for _, each in slice_scheduler(100)().iterate(fetched([1, 1]))]
    gone = [weakref.ref(message) for message in messages]
    messages[0].take_round()
    gc.disable()
    try:
        messages.clear()
        assert [each() for each in gone] == [None, None]
    finally:
        gc.enable()
