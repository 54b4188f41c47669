"""Corrections: events that change what namings have said."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from pipeline.touchpoint import CORRECTION_KINDS

#: The kinds of corrections.
RETRACTED, ENDED, MERGED, SPLIT = CORRECTION_KINDS

#: The order in which events count for corrections: by occurred_at (epoch milliseconds), source, event_id.
Order: TypeAlias = tuple[int, str, str]


class Correction(NamedTuple):
    """An event that is no contact, but changes what others have said of who is who.

    `keys` are all that it names, the strongest (`own`) first. `subject` is the event_id of the event, or of the
    correction, that it takes back. `other` is the key of the customer that is merged into `own`.
    """

    own: str
    keys: tuple[str, ...]
    kind: str
    at: int
    source: str
    event_id: str
    subject: str | None = None
    other: str | None = None

    @property
    def order(self) -> Order:
        """Return its place among events."""
        return self.at, self.source, self.event_id

    @property
    def concerns_all(self) -> bool:
        """Return whether it can concern any key, not only those that it names."""
        return self.kind in (MERGED, SPLIT) or (self.kind == RETRACTED and self.subject is not None)
