"""Where slices come from."""

from __future__ import annotations

from typing import Protocol


class Source(Protocol):
    """What the processing of slices asks of where they come from."""

    async def rewind(self, partition: int, offset: int) -> None:
        """Read a partition again from an offset."""

    async def earliest(self, partition: int) -> int:
        """Return the first offset that the topic still has of a partition."""

    def caught_up(self, partition: int, next_offset: int) -> bool:
        """Return whether the topic had no more records of a partition when it was last asked."""
