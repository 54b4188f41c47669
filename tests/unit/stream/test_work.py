"""How a worker's records are parted among transactions, and parted further when one of them breaks the work."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from memory import Record

from pipeline.flow.values import Work
from pipeline.stream.unprocessable import halves
from pipeline.stream.work import portions

SIZES = st.lists(st.integers(1, 3_000), min_size=1, max_size=12)


def works(sizes: list[int]) -> list[Work]:
    return [Work(number, [Record(at, b"", b"") for at in range(size)], size) for number, size in enumerate(sizes)]


@given(SIZES)
def test_each_partition_is_in_one_transaction(sizes: list[int]) -> None:
    given_works = works(sizes)
    assert [work for portion in portions(given_works) for work in portion] == given_works


@given(st.lists(st.integers(1, 20), min_size=1, max_size=12))
def test_little_is_one_transaction(sizes: list[int]) -> None:
    assert len(portions(works(sizes))) == 1


def test_much_is_several_transactions_of_a_like_size() -> None:
    assert [len(portion) for portion in portions(works([1_000] * 12))] == [3] * 4


def test_huge_slices_are_a_transaction_each() -> None:
    assert [len(portion) for portion in portions(works([60_000] * 3))] == [1] * 3


@given(SIZES, st.data())
def test_halving_finds_the_record_that_breaks_the_work_and_loses_none(sizes: list[int], data: st.DataObject) -> None:
    given_works = works(sizes)
    partition = data.draw(st.integers(0, len(sizes) - 1))
    bad = given_works[partition].records[data.draw(st.integers(0, sizes[partition] - 1))]
    done: list[tuple[int, int]] = []
    ends: dict[int, int] = {}
    refused: list[object] = []

    def process(some: list[Work]) -> None:
        if not any(record is bad for work in some for record in work.records):
            for number, records, end in some:
                done.extend((number, record.offset) for record in records)
                ends[number] = end
            return
        less = halves(some)
        for each in less:
            process(each)
        if not less:
            refused.append(some[0].records[0])
            done.append((partition, bad.offset))
            ends[partition] = some[0].end

    process(given_works)
    assert refused == [bad]
    assert sorted(done) == [(number, at) for number, size in enumerate(sizes) for at in range(size)]
    assert ends == dict(enumerate(sizes))
