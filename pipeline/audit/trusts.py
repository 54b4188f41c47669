"""How far an event is trusted that names several keys: by the policy, else by the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pipeline.touchpoint import Touchpoint

NONE = "none"
#: That of a kind that the catalogue lacks.
_UNKNOWN = "declared"


class Trusts(NamedTuple):
    """Trusts by kind, by channel and by source, as the policy has them, and by kind, as the catalogue has them."""

    by_kind: Mapping[str, str] = {}
    by_channel: Mapping[str, str] = {}
    by_source: Mapping[str, str] = {}
    catalogue: Mapping[str, str] = {}

    def of(self, touchpoint: Touchpoint) -> str:
        """Return verified, declared or none."""
        t = touchpoint
        if t.kind in self.by_kind:
            return self.by_kind[t.kind]
        if t.channel in self.by_channel:
            return self.by_channel[t.channel]
        if t.source in self.by_source:
            return self.by_source[t.source]
        return self.catalogue.get(t.kind, _UNKNOWN)
