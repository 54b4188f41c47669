"""How a worker's records are parted among transactions, and parted further when one of them breaks the work."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from memory import Record

from pipeline.flow.slices import Slice
from pipeline.processing.grouping import group_slices
from pipeline.processing.poison import bisect

SIZES = st.lists(st.integers(1, 3_000), min_size=1, max_size=12)


def slices(sizes: list[int]) -> list[Slice]:
    return [Slice(number, 0, size, [Record(at, b"", b"") for at in range(size)]) for number, size in enumerate(sizes)]


@given(SIZES)
def test_each_partition_is_in_one_transaction(sizes: list[int]) -> None:
    arrived = slices(sizes)
    assert [each for group in group_slices(arrived) for each in group] == arrived


@given(st.lists(st.integers(1, 20), min_size=1, max_size=12))
def test_little_is_one_transaction(sizes: list[int]) -> None:
    assert len(group_slices(slices(sizes))) == 1


def test_much_is_several_transactions_of_a_like_size() -> None:
    assert [len(group) for group in group_slices(slices([1_000] * 12))] == [3] * 4


def test_huge_slices_are_a_transaction_each() -> None:
    assert [len(group) for group in group_slices(slices([60_000] * 3))] == [1] * 3


@given(SIZES, st.data())
def test_bisection_finds_the_record_that_breaks_the_work_and_loses_none(sizes: list[int], data: st.DataObject) -> None:
    arrived = slices(sizes)
    partition = data.draw(st.integers(0, len(sizes) - 1))
    bad = arrived[partition].records[data.draw(st.integers(0, sizes[partition] - 1))]
    done: list[tuple[int, int]] = []
    ends: dict[int, int] = {}
    refused: list[object] = []

    def process(some: list[Slice]) -> None:
        if not any(record is bad for each in some for record in each.records):
            for number, _, end, records, _ in some:
                done.extend((number, record.offset) for record in records)
                ends[number] = end
            return
        smaller = bisect(some)
        for group in smaller:
            process(group)
        if not smaller:
            refused.append(some[0].records[0])
            done.append((partition, bad.offset))
            ends[partition] = some[0].end

    process(arrived)
    assert refused == [bad]
    assert sorted(done) == [(number, at) for number, size in enumerate(sizes) for at in range(size)]
    assert ends == dict(enumerate(sizes))
