"""How a worker's records are parted among transactions, and parted further when one of them breaks the work."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from memory import Record

from pipeline.flow.slices import Slice
from pipeline.processing.grouping import group_parts, group_slices
from pipeline.processing.poison import bisect
from pipeline.topics import EXCHANGE

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


@given(st.lists(st.integers(0, 150_000), min_size=1, max_size=4).filter(any))
def test_parts_have_something_of_each_partition_and_join_to_what_there_was(sizes: list[int]) -> None:
    # Every second offset holds a record.
    arrived = [
        Slice(number, 2 * number, 2 * (number + size), [_RECORDS[number + at] for at in range(size)])
        for number, size in enumerate(sizes)
        if size
    ]
    groups = group_parts(arrived)
    assert len(groups) == -(-sum(sizes) // 100_000)
    assert [each.partition for each in groups[0]] == [each.partition for each in arrived]
    assert max(sum(len(each.records) for each in group) for group in groups) <= 100_000 + len(groups) * len(arrived)
    joined: dict[int, Slice] = {}
    for each in [each for group in groups for each in group]:
        assert each.records
        assert each.begin <= each.first_offset <= each.last_offset < each.end
        joined[each.partition] = each.joined_to(joined.get(each.partition))
    assert [*joined.values()] == arrived


_RECORDS = [Record(2 * at + 1, b"", b"") for at in range(150_004)]


def test_what_other_partitions_tell_is_in_the_first_part() -> None:
    much = Slice(0, 1, 240_001, _RECORDS[:120_000])
    told = Slice(1, 1, 201, _RECORDS[:100], EXCHANGE)
    first, second = group_parts([much, told])
    assert [each.topic for each in first] == [much.topic, EXCHANGE]
    assert first[1] == told
    assert [each.topic for each in second] == [much.topic]


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
