"""Tells whether a worker has caught up with its partitions, by the ends that the broker last told."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.consumer.transport import Progress
from pipeline.topics import TopicPartition


class TopicEnds:
    """Keeps the partitions' ends: the end of the log, so that what an open transaction holds back is not processed."""

    def __init__(self) -> None:
        self._ends: dict[TopicPartition, int] = {}

    def caught_up(self, place: TopicPartition, next_offset: int) -> bool:
        """Return whether the topic had no more records of a partition when the broker was last asked."""
        end = self._ends.get(place)
        return end is not None and next_offset >= end

    def forget(self) -> None:
        """Forget the ends: while the broker is away, what it said before no longer counts."""
        self._ends.clear()

    def update(
        self,
        ends: Mapping[TopicPartition, int],
        progress: Mapping[TopicPartition, Progress],
        next_offsets: Mapping[TopicPartition, int],
    ) -> None:
        """Take the partitions' ends, and how far they are read and processed."""
        self._ends = dict(ends)
        for place, next_offset in next_offsets.items():
            read = progress.get(place)
            if read is None:
                continue
            if read.delivered == next_offset and read.read >= self._ends.get(place, 0):
                self._ends[place] = next_offset  # what follows are no records
            if read.held_back:
                self._ends[place] = max(self._ends.get(place, 0), next_offset) + read.held_back
