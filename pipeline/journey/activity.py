"""What counts as activity of a customer: a sign that they are still one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.contract.validate import check_kind
from pipeline.touchpoint import CHANNELS, ROLES

#: The roles that can count. One who asks for help, or complains, may be about to leave.
POSSIBLE_ROLES = ("browse", "buy", "use", "answer")
#: The kind that ends the relation. It counts whatever the policy says: it is the last word of a customer.
ACCOUNT_CLOSED = "account_closed"

_PLACE = "[churn.activity]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityPolicy:
    """Which touchpoints count as activity, of those that the customer began: by kind, else by channel, else by role.

    A kind or channel counts or not; `roles` are those that count.
    """

    roles: tuple[str, ...] = ("browse", "buy", "use")
    by_channel: Mapping[str, bool] = field(default_factory=dict)
    by_kind: Mapping[str, bool] = field(default_factory=dict)

    def counts(self, role: str | None, channel: str, kind: str) -> bool:
        """Return whether a touchpoint that the customer began counts. `role` is None for an uncatalogued kind.

        Asking for help and complaining never count, whatever is said of their channel.
        """
        if kind == ACCOUNT_CLOSED:
            return True
        if (by_kind := self.by_kind.get(kind)) is not None:
            return by_kind and role in (None, *POSSIBLE_ROLES)
        return self.by_channel.get(channel, role in self.roles) and role in POSSIBLE_ROLES


def check_kinds(policy: ActivityPolicy, roles: Mapping[str, str]) -> None:
    """Raise ValueError for a kind that the policy counts and that can't count, by the roles of catalogued kinds."""
    for kind in [kind for kind, counts in policy.by_kind.items() if counts]:
        if kind in roles and roles[kind] not in POSSIBLE_ROLES and kind != ACCOUNT_CLOSED:
            raise ValueError(
                f"[churn.activity.kind] {kind} has the role {roles[kind]}, which is no sign that a customer stays; "
                f"those of {', '.join(POSSIBLE_ROLES)} can count"
            )


def parse(table: object) -> ActivityPolicy:
    """Return the policy from the section [churn]; raises ValueError that says what is wrong in which place."""
    section = _table(_table(table, "[churn]", "activity").get("activity", {}), _PLACE, "roles", "channel", "kind")
    channels, kinds = (_counted(section, scope) for scope in ("channel", "kind"))
    for name in channels:
        if name not in CHANNELS:
            raise ValueError(
                f"[churn.activity.channel] has the unknown channel {name}; the channels are {', '.join(CHANNELS)}"
            )
    for name in kinds:
        if (wrong := check_kind(name)) is not None:
            raise ValueError(f"[churn.activity.kind] {name}: {wrong.detail}")
    if "roles" not in section:
        return ActivityPolicy(by_channel=channels, by_kind=kinds)
    return ActivityPolicy(roles=_roles(section["roles"]), by_channel=channels, by_kind=kinds)


def _roles(roles: object) -> tuple[str, ...]:
    if not isinstance(roles, list):
        raise ValueError(f"{_PLACE} roles must be a list")
    for role in roles:
        if role not in POSSIBLE_ROLES:
            why = "is no sign that a customer stays" if role in ROLES else "is unknown"
            raise ValueError(f"{_PLACE} roles: {role!r} {why}; it takes {', '.join(POSSIBLE_ROLES)}")
    return tuple(roles)


def _counted(section: Mapping[str, Any], scope: str) -> dict[str, bool]:
    place = f"[churn.activity.{scope}]"
    counted = _table(section.get(scope, {}), place)
    for name, value in counted.items():
        if not isinstance(value, bool):
            raise ValueError(f"{place} {name} is {value!r}; it takes true or false")
    return dict(counted)


def _table(table: object, place: str, *allowed: str) -> Mapping[str, Any]:
    if not isinstance(table, Mapping):
        raise ValueError(f"{place} must be a table")
    if allowed and (unknown := sorted(set(table) - set(allowed))):
        raise ValueError(f"{place} has unknown {', '.join(unknown)}; it takes {', '.join(sorted(allowed))}")
    return table
