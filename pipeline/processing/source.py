"""Where slices come from."""

from __future__ import annotations

from typing import Protocol

from pipeline.topics import TopicPartition


class Source(Protocol):
    """What the processing of slices asks of where they come from."""

    async def rewind(self, place: TopicPartition, offset: int) -> None:
        """Read a partition again from an offset."""

    async def earliest(self, place: TopicPartition) -> int:
        """Return the first offset that the topic still has of a partition."""

    def caught_up(self, place: TopicPartition, next_offset: int) -> bool:
        """Return whether the topic had no more records of a partition when it was last asked."""
