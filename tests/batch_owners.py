"""Whose each of some touchpoints is, by the audit's plain batch computation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from pipeline.audit.identity.corrections import effective, survivors
from pipeline.audit.identity.owners import owner
from pipeline.audit.identity.records import IdentityRules, Naming, correction, named_keys, namings, own_key
from pipeline.audit.identity.segments import Segment, segments
from pipeline.touchpoint import Touchpoint

DEFAULTS = IdentityRules()


class Event(NamedTuple):
    """A touchpoint, and what the catalogue and the policy say of the trust in its namings."""

    touchpoint: Touchpoint
    trust: str = "none"


def owners_of(
    events: Sequence[Event], rules: IdentityRules = DEFAULTS, erased: Mapping[str, str] | None = None
) -> list[str | None]:
    """Return the owner of each event; None for a correction, and for one that names nobody."""
    keys = [named_keys(event.touchpoint) for event in events]
    corrections = [correction(event.touchpoint, each) for event, each in zip(events, keys, strict=True)]
    valid = effective([each for each in corrections if each is not None])
    merged = survivors(valid)
    by_key: defaultdict[str, list[Naming]] = defaultdict(list)
    for event, each in zip(events, keys, strict=True):
        for naming in namings(event.touchpoint, each, event.trust):
            by_key[naming.key].append(naming)

    @cache
    def segments_of(key: str) -> list[Segment]:
        return segments(key, by_key.get(key, ()), valid, rules, merged, erased or {})

    return [
        owner(own_key(each), event.touchpoint.occurred_at, segments_of) if each and corrects is None else None
        for event, each, corrects in zip(events, keys, corrections, strict=True)
    ]
