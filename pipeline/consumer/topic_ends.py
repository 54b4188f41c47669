"""Tells whether a worker has caught up with its partitions, by the ends that the broker last told."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.consumer.transport import Progress


class TopicEnds:
    """Keeps the partitions' ends: the end of the log, so that what an open transaction holds back is not processed."""

    def __init__(self) -> None:
        self._ends: dict[int, int] = {}

    def caught_up(self, partition: int, next_offset: int) -> bool:
        """Return whether the topic had no more records of a partition when the broker was last asked."""
        end = self._ends.get(partition)
        return end is not None and next_offset >= end

    def forget(self) -> None:
        """Forget the ends: while the broker is away, what it said before no longer counts."""
        self._ends.clear()

    def update(
        self, ends: Mapping[int, int], progress: Mapping[int, Progress], next_offsets: Mapping[int, int]
    ) -> None:
        """Take the partitions' ends, and how far they are read and processed."""
        self._ends = dict(ends)
        for number, next_offset in next_offsets.items():
            read = progress.get(number)
            if read is None:
                continue
            if read.delivered == next_offset and read.read >= self._ends.get(number, 0):
                self._ends[number] = next_offset  # what follows are no records
            if read.held_back:
                self._ends[number] = max(self._ends.get(number, 0), next_offset) + read.held_back
