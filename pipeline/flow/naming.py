"""Which weaker keys an event links to its own one."""

from __future__ import annotations

from collections.abc import Set

from pipeline.flow.traits import TraitsResolver
from pipeline.identity.naming import NONE, EventNaming
from pipeline.journey.admitted import Traits
from pipeline.touchpoint import is_nobody, is_storable

#: Number of combinations of keys that are remembered; when there are more, all are forgotten.
_MEMO = 100_000


class NamingResolver:
    """Resolves the keys that events name to namings, and remembers which of the keys name somebody.

    `nobody` are values that name nobody, as in `touchpoint.is_nobody`.
    """

    def __init__(self, traits: TraitsResolver, nobody: Set[str]) -> None:
        self._traits, self._nobody = traits, nobody
        self._known: dict[tuple[str, ...], tuple[str, ...]] = {}

    def naming(self, weaker: tuple[str, ...], traits: Traits, source: str, event_id: str) -> EventNaming | None:
        """Return what an event that names these keys, weaker than its own, says of them; None if nothing."""
        keys = self._known.get(weaker)
        if keys is None:
            keys = self._learn(weaker)
        trust = self._traits.trust(traits, source)
        return EventNaming(keys, trust, source, event_id) if keys and trust != NONE else None

    def _learn(self, weaker: tuple[str, ...]) -> tuple[str, ...]:
        if len(self._known) >= _MEMO:
            self._known.clear()
        keys = tuple([key for key in weaker if is_storable(key) and not is_nobody(key, self._nobody)])
        self._known[weaker] = keys
        return keys
