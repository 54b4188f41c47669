"""A slice: the records fetched of one partition at once, which Faust handles as one message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP

from pipeline.flow.values import Received


class Fetched(list[Received]):
    """What one fetch brought of a partition, from offset `begin` up to and without `end`."""

    def __init__(self, records: Sequence[Received], begin: int, end: int) -> None:
        super().__init__(records)
        self.begin, self.end = begin, end

    def after(self, before: Fetched | None) -> Fetched:
        """Both fetches in one, if this one goes on where the other ended; else this one: a seek came in between."""
        if before is None or before.end != self.begin:
            return self
        return Fetched([*before, *self], before.begin, self.end)


class Slice:
    """Consecutive records of a partition. To Faust it looks like one record with the offset of the last.

    They are all there is from offset `begin` up to and without `end`: what is missing in between are no records
    (marks of transactions, aborted ones), or none any more.

    Faust takes several steps of the event loop for each message, which costs far more than the work on an event.
    """

    headers: tuple[()] = ()
    key = None
    checksum = None
    serialized_key_size = -1
    serialized_value_size = -1
    timestamp_type = 1

    def __init__(self, tp: TP, records: Sequence[Received], begin: int, end: int) -> None:
        self.topic, self.partition = tp
        self.records = records
        self.begin, self.end = begin, end
        self.offset = records[-1].offset
        self.timestamp = records[-1].timestamp
        #: The slices that came at once, this one among them; one list for all of them.
        self.round: list[Slice] = []

    def together(self) -> list[Slice]:
        """This slice and those of other partitions that came with it; of these only the first that is asked knows."""
        found = self.round[:] or [self]
        self.round.clear()  # lest they hold on to each other, and to all records, until the garbage is collected
        return found

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
        def iterate(self, records: Mapping[TP, Fetched]) -> Iterator[tuple[TP, Slice]]:
            """Of each partition of a fetch a slice, in turn."""
            for first in range(0, max(map(len, records.values()), default=0), most_records):
                pieces = list(_cut(records, first, first + most_records))
                for piece in pieces[:]:
                    piece.round = pieces
                    yield TP(piece.topic, piece.partition), piece

    return SliceScheduler


def _cut(records: Mapping[TP, Fetched], first: int, end: int) -> Iterator[Slice]:
    """Of each partition the records from the `first` to the `end` of its fetch, as far as there are any."""
    for tp, fetched in records.items():
        if piece := fetched[first:end]:
            begin = fetched[first - 1].offset + 1 if first else fetched.begin
            yield Slice(tp, piece, begin, fetched.end if end >= len(fetched) else piece[-1].offset + 1)
