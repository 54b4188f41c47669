"""How far each partition's records were handed on."""

from __future__ import annotations

from faust.types import TP


class Handed:
    """Partition → where the records end that were handed on, or where reading was told to begin.

    It holds for one assignment: under the next one, Kafka's client begins at offsets that are none of this worker's.
    Who went by what was handed on under an earlier assignment would take the records in between for handed on, too.
    """

    def __init__(self) -> None:
        self._assignment: object = None
        self._ends: dict[TP, int] = {}

    def under(self, assignment: object) -> dict[TP, int]:
        """What holds under an assignment, to be read and written; empty when it is a new one."""
        if assignment is not self._assignment:
            self._assignment, self._ends = assignment, {}
        return self._ends
