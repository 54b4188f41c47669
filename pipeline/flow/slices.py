"""A slice: consecutive records of a partition that arrived together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.flow.values import Received
from pipeline.topics import TOUCHPOINTS, TopicPartition


class Slice(NamedTuple):
    """Consecutive records of a partition, at least one: all that there are from offset `begin` up to and without `end`.

    Offsets in between that no record has are transaction markers or aborted records, or their records are deleted.
    """

    partition: int
    begin: int
    end: int
    records: Sequence[Received]
    topic: str = TOUCHPOINTS

    @property
    def place(self) -> TopicPartition:
        """Return the topic and partition."""
        return self.topic, self.partition

    @property
    def first_offset(self) -> int:
        """Return the offset of the first record."""
        return self.records[0].offset

    @property
    def last_offset(self) -> int:
        """Return the offset of the last record."""
        return self.records[-1].offset

    def joined_to(self, before: Slice | None) -> Slice:
        """Return both slices in one, if this one begins where the other ends; else this one: a seek came in between."""
        if before is None or before.end != self.begin:
            return self
        return self._replace(begin=before.begin, records=[*before.records, *self.records])

    def parts(self, count: int) -> list[Slice]:
        """Return the slice in so many parts of about the same size, or as many as it has records."""
        size = -(-len(self.records) // count)
        records = [self.records[first : first + size] for first in range(0, len(self.records), size)]
        begins = [self.begin, *[those[0].offset for those in records[1:]]]
        ends = [*begins[1:], self.end]
        return [
            self._replace(begin=begin, end=end, records=those)
            for begin, end, those in zip(begins, ends, records, strict=True)
        ]

    def from_offset(self, offset: int) -> Slice:
        """Return the slice without the records before an offset; at least one must stay."""
        if self.first_offset >= offset:
            return self
        rest = [record for record in self.records if record.offset >= offset]
        return self._replace(begin=offset, records=rest)
