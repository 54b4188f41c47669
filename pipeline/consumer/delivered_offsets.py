"""How far the records of each partition were delivered."""

from __future__ import annotations

from faust.types import TP


class DeliveredOffsets:
    """Partition → the offset after the records that were delivered, or from which reading was told to begin.

    It holds for one assignment. Under the next one, Kafka's client begins at other offsets than this worker's; with the
    offsets of an earlier assignment, the records in between would count as delivered.
    """

    def __init__(self) -> None:
        self._assignment: object = None
        self._ends: dict[TP, int] = {}

    def under(self, assignment: object) -> dict[TP, int]:
        """Return the offsets under an assignment, to be read and written; empty when it is a new one."""
        if assignment is not self._assignment:
            self._assignment, self._ends = assignment, {}
        return self._ends
