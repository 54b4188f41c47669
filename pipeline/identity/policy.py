"""TEMPORARY"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_DAY = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TypePolicy:
    hold_ms: int | None = None
    lookback_ms: int | None = None
    shared_above: int = 5


_DEFAULTS = {
    "anonymous": TypePolicy(hold_ms=180 * _DAY, lookback_ms=30 * _DAY),
    "device": TypePolicy(hold_ms=90 * _DAY, lookback_ms=30 * _DAY),
    "email": TypePolicy(shared_above=2),
    "phone": TypePolicy(shared_above=2),
    "loyalty": TypePolicy(shared_above=1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityPolicy:
    stretch_ms: int = 1_800_000
    final_after_ms: int = 400 * _DAY
    nobody: frozenset[str] = frozenset()
    by_type: Mapping[str, TypePolicy] = field(default_factory=dict)
    trust_by_kind: Mapping[str, str] = field(default_factory=dict)
    trust_by_channel: Mapping[str, str] = field(default_factory=dict)
    trust_by_source: Mapping[str, str] = field(default_factory=dict)

    def of_type(self, type: str) -> TypePolicy:
        return self.by_type.get(type) or _DEFAULTS.get(type) or TypePolicy()
