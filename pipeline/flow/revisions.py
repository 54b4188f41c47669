"""revise: each journey that has changed gets its next revision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipeline.journey.journey import Journey
from pipeline.journey.row import JourneyRow


class Revisions(NamedTuple):
    """The rows of revisions, and what they change: journeys opened, closed, merged and moved, open ones altogether."""

    rows: Sequence[JourneyRow]
    opened: int
    closed: int
    merged: int
    moved: int
    open_change: int


def revise(changed: Iterable[Journey]) -> Revisions:
    """Make the next revisions of journeys.

    None of them opened and was merged within the same batch: covers that meet are joined before they meet journeys.
    """
    rows = []
    opened = closed = merged = moved = open_change = 0
    for journey in changed:
        is_first = journey.revision == 0
        is_open, was_open = journey.is_open, journey.was_open
        opened += is_first
        if journey.merged_into is not None:
            merged += 1
        elif journey.moved_to is not None:
            moved += 1
        elif not is_open and (was_open or is_first):
            closed += 1
        open_change += is_open - was_open
        journey.is_changed = False
        journey.was_open = is_open
        journey.revision += 1
        journey.dropped = []
        rows.append(journey.row())
    return Revisions(rows, opened, closed, merged, moved, open_change)
