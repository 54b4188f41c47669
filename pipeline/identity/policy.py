"""The policy of identity: for how long a key is held, from how many customers on it is shared, and who is trusted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.contract.validate import check_kind, check_text
from pipeline.durations import DAY_MS, duration_ms
from pipeline.identity.naming import TRUSTS
from pipeline.touchpoint import ANONYMOUS, CHANNELS, CUSTOMER, normalised_value

_MAX_DAYS = 3_660
_UNLIMITED = "unlimited"
_PLACE = "[identity]"


@dataclass(frozen=True, slots=True, kw_only=True)
class TypePolicy:
    """The rules for keys of one type.

    A key is held for `hold_ms` after it was last named, and belongs to a verified customer from `lookback_ms` before it
    was first named; None is unlimited. It is shared where more than `shared_above` customers use it.
    """

    hold_ms: int | None = None
    lookback_ms: int | None = None
    shared_above: int = 5


#: The rules for each type that the policy does not name; every other type has those of `TypePolicy()`.
DEFAULTS: Mapping[str, TypePolicy] = {
    ANONYMOUS: TypePolicy(hold_ms=180 * DAY_MS, lookback_ms=30 * DAY_MS),
    "device": TypePolicy(hold_ms=90 * DAY_MS, lookback_ms=30 * DAY_MS),
    "email": TypePolicy(shared_above=2),
    "phone": TypePolicy(shared_above=2),
    "loyalty": TypePolicy(shared_above=1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityPolicy:
    """How keys are joined.

    Namings that follow each other within `stretch_ms` are one stretch. What is older than `final_after_ms` is not
    restated. `nobody` are values that name nobody besides those that never do (`touchpoint.is_nobody`), normalised.
    Trusts go before those of the catalogue.
    """

    stretch_ms: int = 30 * 60_000
    final_after_ms: int = 400 * DAY_MS
    nobody: frozenset[str] = frozenset()
    by_type: Mapping[str, TypePolicy] = field(default_factory=dict)
    trust_by_kind: Mapping[str, str] = field(default_factory=dict)
    trust_by_channel: Mapping[str, str] = field(default_factory=dict)
    trust_by_source: Mapping[str, str] = field(default_factory=dict)

    def of_type(self, type: str) -> TypePolicy:
        """Return the rules for keys of a type."""
        return self.by_type.get(type) or _default(type)

    def trust(self, kind: str, channel: str, source: str, otherwise: str) -> str:
        """Return the trust of an event: by its kind, else by its channel, else by its source, else `otherwise`."""
        named = ((self.trust_by_kind, kind), (self.trust_by_channel, channel), (self.trust_by_source, source))
        return next((trusts[name] for trusts, name in named if name in trusts), otherwise)


def parse(table: object) -> IdentityPolicy:
    """Return the policy from the section [identity]; raises ValueError that says what is wrong in which place."""
    section = _table(table, _PLACE, {"stretch", "final_after", "nobody", "type", "trust"})
    given = {
        f"{name}_ms": duration_ms(section[name], f"{_PLACE} {name}", _MAX_DAYS)
        for name in ("stretch", "final_after")
        if name in section
    }
    trust = _table(section.get("trust", {}), "[identity.trust]", {"kind", "channel", "source"})
    types = _table(section.get("type", {}), "[identity.type]")
    return IdentityPolicy(
        **given,
        nobody=_nobody(section.get("nobody", [])),
        by_type={name: _type(name, rules) for name, rules in types.items()},
        trust_by_kind=_trusts(trust, "kind"),
        trust_by_channel=_trusts(trust, "channel"),
        trust_by_source=_trusts(trust, "source"),
    )


def _default(type: str) -> TypePolicy:
    return DEFAULTS.get(type) or TypePolicy()


def _type(name: str, rules: object) -> TypePolicy:
    place = f"[identity.type.{name}]"
    if name == CUSTOMER:
        raise ValueError(f"{place}: a customer's number is held by nobody else")
    given, default = _table(rules, place, {"hold", "lookback", "shared_above"}), _default(name)
    shared_above = given.get("shared_above", default.shared_above)
    if type(shared_above) is not int or shared_above < 1:
        raise ValueError(f"{place} shared_above is {shared_above!r}; it takes a whole number from 1")
    return TypePolicy(
        hold_ms=_limit(given["hold"], f"{place} hold") if "hold" in given else default.hold_ms,
        lookback_ms=_limit(given["lookback"], f"{place} lookback") if "lookback" in given else default.lookback_ms,
        shared_above=shared_above,
    )


def _limit(text: object, place: str) -> int | None:
    return None if text == _UNLIMITED else duration_ms(text, f'{place} ("{_UNLIMITED}" or a duration)', _MAX_DAYS)


def _nobody(values: object) -> frozenset[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{_PLACE} nobody must be a list of texts")
    return frozenset(map(normalised_value, values))


def _trusts(trust: Mapping[str, Any], scope: str) -> dict[str, str]:
    place = f"[identity.trust.{scope}]"
    trusts = _table(trust.get(scope, {}), place)
    for name, value in trusts.items():
        if scope == "channel" and name not in CHANNELS:
            raise ValueError(f"{place} has the unknown channel {name}; the channels are {', '.join(CHANNELS)}")
        wrong = check_kind(name) if scope == "kind" else check_text(scope, name)
        if wrong is not None:
            raise ValueError(f"{place} {name}: {wrong.detail}")
        if value not in TRUSTS:
            raise ValueError(f"{place} {name} is {value!r}; it takes one of {', '.join(TRUSTS)}")
    return dict(trusts)


def _table(table: object, place: str, allowed: Collection[str] | None = None) -> Mapping[str, Any]:
    if not isinstance(table, Mapping):
        raise ValueError(f"{place} must be a table")
    if allowed is not None and (unknown := sorted(set(table) - set(allowed))):
        raise ValueError(f"{place} has unknown {', '.join(unknown)}; it takes {', '.join(sorted(allowed))}")
    return table
