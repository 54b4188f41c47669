"""Namings: an event that names several keys links each weaker one to the strongest."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.identity.correction import Order

#: How far a naming can be trusted: `VERIFIED` holds for the time before, too; `NONE` links nothing.
VERIFIED, DECLARED, NONE = "verified", "declared", "none"
TRUSTS = (VERIFIED, DECLARED, NONE)
#: In place of the trust, where a correction has made a naming void.
RETRACTED = "retracted"


class EventNaming(NamedTuple):
    """What an event says of who is who: the `keys` that it names beside its own, strongest first."""

    keys: tuple[str, ...]
    trust: str
    source: str
    event_id: str


class Naming(NamedTuple):
    """One event's link of a key to a stronger one, the target; `at` is its occurred_at in epoch milliseconds."""

    target: str
    trust: str
    at: int
    source: str
    event_id: str

    @property
    def order(self) -> Order:
        """Return its place among events."""
        return self.at, self.source, self.event_id
