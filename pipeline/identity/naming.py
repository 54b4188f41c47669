"""Namings: an event that names several keys links each weaker one to the strongest."""

from __future__ import annotations

from typing import NamedTuple

#: How far a naming can be trusted: `VERIFIED` holds for the time before, too; `NONE` links nothing.
VERIFIED, DECLARED, NONE = "verified", "declared", "none"
TRUSTS = (VERIFIED, DECLARED, NONE)


class EventNaming(NamedTuple):
    """What an event says of who is who: the weaker `keys` that it names beside its own, strongest first."""

    keys: tuple[str, ...]
    trust: str
    source: str
    event_id: str
