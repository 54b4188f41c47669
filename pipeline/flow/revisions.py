"""revise: each journey that has changed gets its next revision."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.journey.journey import Journey
from pipeline.journey.row import JourneyRow


class Revisions:
    """The rows of revisions, and what they change: journeys opened, closed and merged, and open ones altogether."""

    def __init__(self) -> None:
        self.rows: list[JourneyRow] = []
        self.opened = 0
        self.closed = 0
        self.merged = 0
        self.open_change = 0

    def add(self, journey: Journey) -> None:
        """Make the next revision of a journey."""
        journey.revision += 1
        is_first = journey.revision == 1
        if is_first:
            self.opened += 1
        if journey.merged_into is not None:
            self.merged += 1
        elif not journey.is_open and (journey.was_open or is_first):
            self.closed += 1
        self.open_change += journey.is_open - journey.was_open
        journey.was_open = journey.is_open
        self.rows.append(journey.row())


def revise(changed: Iterable[Journey]) -> Revisions:
    """Make the next revisions of journeys.

    None of them opened and was merged within the same batch: covers that meet are joined before they meet journeys.
    """
    revisions = Revisions()
    for journey in changed:
        journey.is_changed = False
        revisions.add(journey)
    return revisions
