"""What touchpoints say of keys: the keys that they name, namings and corrections; and the rules by type of key."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from pipeline.touchpoint import Touchpoint

_MINUTE_MS, _DAY_MS = 60_000, 86_400_000

#: Ranks of keys by type, 0 for the strongest.
_RANKS = {"customer": 0, "loyalty": 1, "email": 2, "phone": 3, "device": 5, "anonymous": 6}
_OTHER_RANK = 4

#: Values that name nobody, in any case of letters; with them everything that is only zeros (and the hyphens of a UUID).
_NOBODY = {"", "null", "undefined", "[object object]", "anonymous", "guest", sha256(b"").hexdigest()}
_ZEROS = re.compile(r"-*0[0-]*")

RETRACTED, ENDED, MERGED, SPLIT = "identity_retracted", "identity_ended", "customer_merged", "customer_split"

#: `occurred_at`, `source`, `event_id`: the order in which events count as earlier and later.
Order: TypeAlias = tuple[int, str, str]


class Naming(NamedTuple):
    """An event that names `key` links it to its own key, the `target`; `trust` is `verified`, `declared` or `none`."""

    key: str
    target: str
    trust: str
    at: int
    source: str
    event_id: str

    @property
    def order(self) -> Order:
        """The place of its event in the order of events."""
        return self.at, self.source, self.event_id


class Correction(NamedTuple):
    """A record that changes who is who. `keys` are all keys that it names, `own` is the strongest of them.

    `other` is the key of the merged customer.
    """

    kind: str
    at: int
    source: str
    event_id: str
    keys: tuple[str, ...]
    own: str
    subject: str | None
    other: str | None

    @property
    def order(self) -> Order:
        """Its place in the order of events."""
        return self.at, self.source, self.event_id


class TypeRules(NamedTuple):
    """The rules for keys of one type; None is unlimited."""

    hold_ms: int | None
    lookback_ms: int | None
    shared_above: int


class IdentityRules(NamedTuple):
    """The rules of the policy: the longest pause within a stretch, and what differs from the defaults by type.

    What is older than `final_after_ms` when who is who changes may have stayed as it was.
    """

    stretch_ms: int = 30 * _MINUTE_MS
    by_type: Mapping[str, TypeRules] = MappingProxyType({})
    final_after_ms: int = 400 * _DAY_MS


_DEFAULTS = {
    "anonymous": TypeRules(180 * _DAY_MS, 30 * _DAY_MS, 5),
    "device": TypeRules(90 * _DAY_MS, 30 * _DAY_MS, 5),
    "email": TypeRules(None, None, 2),
    "phone": TypeRules(None, None, 2),
    "loyalty": TypeRules(None, None, 1),
}
_OTHER_DEFAULTS = TypeRules(None, None, 5)


def type_rules(key: str, rules: IdentityRules) -> TypeRules:
    """Return the rules for the key's type: the policy's, or the defaults."""
    name = _type(key)
    return rules.by_type.get(name) or _DEFAULTS.get(name, _OTHER_DEFAULTS)


def rank(key: str) -> int:
    """Return the rank of a key, 0 for the strongest."""
    return _RANKS.get(_type(key), _OTHER_RANK)


def own_key(keys: Iterable[str]) -> str:
    """Return the strongest of the keys that an event names, and of equals the first."""
    return min(keys, key=rank)


def named_keys(touchpoint: Touchpoint, nobody: Collection[str] = ()) -> tuple[str, ...]:
    """Return the keys that a touchpoint names, in its order; `nobody` has further values that name nobody."""
    values = [
        ("customer", touchpoint.customer_id),
        *((identifier.type, identifier.value) for identifier in touchpoint.identifiers),
        ("anonymous", touchpoint.anonymous_id),
    ]
    own = {value.lower() for value in nobody}
    named = [f"{name}:{value}" for name, value in values if name and value and not _is_nobody(value, own)]
    return tuple(dict.fromkeys(named))


def namings(touchpoint: Touchpoint, keys: Iterable[str], trust: str) -> list[Naming]:
    """Return the links from each weaker key of a touchpoint to its own key; a correction has none."""
    keys = tuple(keys)
    if not keys or trust == "none" or touchpoint.kind in (RETRACTED, ENDED, MERGED, SPLIT):
        return []
    t, target = touchpoint, own_key(keys)
    return [Naming(key, target, trust, t.occurred_at, t.source, t.event_id) for key in keys if rank(key) > rank(target)]


def correction(touchpoint: Touchpoint, keys: tuple[str, ...], nobody: Collection[str] = ()) -> Correction | None:
    """Return the correction that a touchpoint is; None if it is another kind, or names nobody."""
    t = touchpoint
    if not keys or t.kind not in (RETRACTED, ENDED, MERGED, SPLIT):
        return None
    merged = t.attributes.get("merged_customer_id", "")
    other = None if _is_nobody(merged, {value.lower() for value in nobody}) else f"customer:{merged}"
    return Correction(t.kind, t.occurred_at, t.source, t.event_id, keys, own_key(keys), t.subject, other)


def _type(key: str) -> str:
    return key.partition(":")[0]


def _is_nobody(value: str, own: Collection[str]) -> bool:
    return value.lower() in _NOBODY or value.lower() in own or _ZEROS.fullmatch(value) is not None
