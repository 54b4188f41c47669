"""A slice: the records fetched of one partition at once, which Faust handles as one message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP

from pipeline.flow.values import Received


class Slice:
    """Consecutive records of a partition. To Faust it looks like one record with the offset of the last.

    Faust takes several steps of the event loop for each message, which costs far more than the work on an event.
    """

    headers: tuple[()] = ()
    key = None
    checksum = None
    serialized_key_size = -1
    serialized_value_size = -1
    timestamp_type = 1

    def __init__(self, tp: TP, records: Sequence[Received]) -> None:
        self.topic, self.partition = tp
        self.records = records
        self.offset = records[-1].offset
        self.timestamp = records[-1].timestamp

    @property
    def value(self) -> Slice:
        """What the agent gets: the slice itself."""
        return self

    @property
    def first_offset(self) -> int:
        """The offset of the first record."""
        return self.records[0].offset


def slicing(most_records: int) -> type[DefaultSchedulingStrategy]:
    """A scheduling strategy for Faust that hands on slices of so many records at the most, not record by record."""

    class SliceScheduler(DefaultSchedulingStrategy):  # type: ignore[misc]
        def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Slice]]:
            """Of each partition of a fetch a slice, in turn."""
            for begin in range(0, max(map(len, records.values()), default=0), most_records):
                for tp, fetched in records.items():
                    if piece := fetched[begin : begin + most_records]:
                        yield tp, Slice(tp, piece)

    return SliceScheduler
