"""What one fetch brought is handed on in slices, which know of each other once."""

from __future__ import annotations

import gc
import weakref
from itertools import pairwise

from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st
from memory import Record

from pipeline.stream.slices import Fetched, Slice, slicing
from pipeline.topics import TOUCHPOINTS


def fetched(sizes: list[int]) -> dict[TP, Fetched]:
    return {
        TP(TOUCHPOINTS, number): Fetched([Record(at, b"", b"") for at in range(3, 3 + size)], 1, size + 5)
        for number, size in enumerate(sizes)
    }


@given(st.lists(st.integers(1, 30), min_size=1, max_size=5), st.integers(1, 40))
def test_slices_follow_each_other_without_a_gap(sizes: list[int], most: int) -> None:
    by_partition: dict[int, list[Slice]] = {}
    for tp, piece in slicing(most)().iterate(fetched(sizes)):
        assert tp.partition == piece.partition
        assert 1 <= len(piece.records) <= most
        by_partition.setdefault(piece.partition, []).append(piece)
    for number, pieces in by_partition.items():
        assert (pieces[0].begin, pieces[-1].end) == (1, sizes[number] + 5)
        assert all(one.end == next_one.begin for one, next_one in pairwise(pieces))
        assert [r.offset for piece in pieces for r in piece.records] == list(range(3, 3 + sizes[number]))


def test_the_first_that_is_asked_knows_all_that_came_with_it() -> None:
    pieces = [piece for _, piece in slicing(10)().iterate(fetched([5, 20]))]
    assert [[each.partition for each in piece.together()] for piece in pieces] == [[0, 1], [1], [1]]


def test_slices_do_not_keep_each_other_in_memory() -> None:
    pieces = [piece for _, piece in slicing(100)().iterate(fetched([1, 1]))]
    gone = [weakref.ref(piece) for piece in pieces]
    pieces[0].together()
    gc.disable()
    try:
        pieces.clear()
        assert [each() for each in gone] == [None, None]
    finally:
        gc.enable()
