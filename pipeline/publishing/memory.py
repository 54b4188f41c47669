"""A publisher in memory: for tests, of this package and of others."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.ledger.positions import Position
from pipeline.publishing.publisher import Interrupted
from pipeline.publishing.records import OutgoingRecord


class MemoryPublisher:
    """Implements `publisher.RecordPublisher`. `records` are those of transactions that have ended, in order.

    A transaction is open from `send` to `settle`; `interrupt` makes it void.
    """

    def __init__(self) -> None:
        self.records: list[OutgoingRecord] = []
        self.fenced: list[str] = []
        self._open: list[OutgoingRecord] = []
        self._open_marks: dict[int, Position] = {}
        self._marks: dict[int, Position] = {}
        self._confirmed: dict[int, int] = {}
        self._begun = False

    def interrupt(self) -> None:
        """Make the open transaction void, as another worker or the broker would."""
        self._begun = False

    async def ready(self) -> bool:
        """Wait until what was sent is published, or begin (anew)."""
        if self._begun:
            await self.settle()
            return False
        self._open, self._open_marks, self._confirmed = [], {}, {}
        self._begun = True
        return True

    async def fence(self, instances: Iterable[str]) -> None:
        """Note which workers were fenced off."""
        self.fenced += instances

    async def published(self, positions: Iterable[Position]) -> dict[int, int]:
        """Return for each partition the number of the commit up to which all is published."""
        published = {position.partition: self._published(position) for position in positions}
        self._confirmed |= published
        return published

    def _published(self, position: Position) -> int:
        mark = self._marks.get(position.partition)
        is_known = mark is not None and mark.lineage == position.lineage and mark.commits <= position.commits
        return mark.commits if mark is not None and is_known else 0

    async def send(self, position: Position, records: Iterable[OutgoingRecord]) -> None:
        """Add the records of a commit to the open transaction. Raises Interrupted."""
        self._raise_if_interrupted()
        self._open += records
        self._open_marks[position.partition] = position

    async def settle(self) -> None:
        """End the open transaction. Raises Interrupted."""
        self._raise_if_interrupted()
        self.records += self._open
        self._marks |= self._open_marks
        self._confirmed |= {number: mark.commits for number, mark in self._open_marks.items()}
        self._open, self._open_marks = [], {}

    @property
    def interrupted(self) -> bool:
        """Return whether it has to begin anew."""
        return not self._begun

    def confirmed(self, partition: int) -> int:
        """Return the number of the partition's last commit whose records are all published; 0 for none."""
        return self._confirmed.get(partition, 0)

    def forget(self, partition: int) -> None:
        """Forget what is confirmed of a partition."""
        self._confirmed.pop(partition, None)

    async def close(self) -> None:
        """Drop the open transaction."""
        self._begun = False

    def _raise_if_interrupted(self) -> None:
        if not self._begun:
            raise Interrupted("Publishing has not begun.")
