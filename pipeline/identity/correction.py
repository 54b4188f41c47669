"""Corrections: events that change what namings have said."""

from __future__ import annotations

from typing import NamedTuple


class Correction(NamedTuple):
    """A valid event that is no contact, but changes what others have said of who is who.

    `keys` are all that it names, the own one first; `at` is its occurred_at in epoch milliseconds. `subject` is the
    event_id of the event, or of the correction, that it takes back. `other` is the key of the customer that is merged
    into `own`.
    """

    own: str
    keys: tuple[str, ...]
    kind: str
    at: int
    source: str
    event_id: str
    subject: str | None = None
    other: str | None = None
