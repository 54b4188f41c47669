"""Reads what the rebuild needs besides the touchpoints: gaps, kinds and scales, as rows for its tables."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.audit.identity.records import IdentityRules, TypeRules, type_rules
from pipeline.audit.trusts import NONE, Trusts
from pipeline.errors import InvalidInput
from pipeline.touchpoint import normalised_value

#: instrument, worst, best, the lowest score that counts as satisfied, and the highest that counts as dissatisfied.
SCALES = (
    ("csat", 1.0, 5.0, 4.0, None),
    ("nps", 0.0, 10.0, 9.0, None),
    ("ces", 1.0, 7.0, 5.0, None),
    ("stars", 1.0, 5.0, 4.0, None),
    ("sentiment", -1.0, 1.0, 0.05, -0.05),
)
#: What counts as activity where the policy does not say.
ACTIVE_ROLES = ("browse", "buy", "use")
_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class CaseReference(NamedTuple):
    """Rows of `case_stage`, `case_type` and `hand_over`, and the longest pause within a contact in milliseconds."""

    stages: list[tuple[str, int, str, str, bool, bool, bool]]
    types: list[tuple[str, int]]
    hand_overs: list[tuple[str]]
    contact_gap_ms: int


class Reference(NamedTuple):
    """Rows of `gap` (scope, name, ms), `known_kind` (kind, stage, begun_by, role), `known_channel` (channel, begun_by)
    and `activity` (scope, name, counts).

    Gaps of the scope `all` have an empty name; scopes of activity are role, channel and kind. `grace_ms` is how long
    after its cover a journey stays open. `nobody` are values that name nobody, as in `touchpoint.is_nobody`. `trusts`
    and `identity` are the rules of who is who.
    """

    gaps: list[tuple[str, str, int]]
    grace_ms: int
    kinds: list[tuple[str, str, str, str]]
    channels: list[tuple[str, str]]
    activity: list[tuple[str, str, bool]]
    nobody: frozenset[str]
    trusts: Trusts
    identity: IdentityRules
    cases: CaseReference


def read(policy_file: Path | None) -> Reference:
    """Return the policy file that the workers have, or the one that ships, and the catalogue that ships.

    Raises InvalidInput when the policy can't be read.
    """
    document = _document(policy_file)
    gaps, grace_ms, nobody, identity = _usable(policy_file, document)
    activity = _activity(policy_file, document)
    cases = _cases(policy_file, document)
    trust = document.get("identity", {}).get("trust", {})
    catalogue = tomllib.loads((files("pipeline") / "contract" / "schemas" / "catalogue.toml").read_text("utf-8"))
    return Reference(
        gaps,
        grace_ms,
        [(name, kind["stage"], kind["by"], kind["role"]) for name, kind in catalogue["kind"].items()],
        [(name, channel["by"]) for name, channel in catalogue["channel"].items()],
        activity,
        nobody,
        Trusts(
            trust.get("kind", {}),
            trust.get("channel", {}),
            trust.get("source", {}),
            {name: kind.get("identity", NONE) for name, kind in catalogue["kind"].items()},
        ),
        identity,
        cases,
    )


def _document(file: Path | None) -> dict[str, Any]:
    try:
        text = (file or files("pipeline") / "journey" / "default_policy.toml").read_text("utf-8")
        return tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _unusable(file, error) from None


def _usable(
    file: Path | None, document: dict[str, Any]
) -> tuple[list[tuple[str, str, int]], int, frozenset[str], IdentityRules]:
    try:
        gaps = [("all", "", _ms(document.get("gap", "30m")))]
        for scope in ("channel", "kind"):
            named: Mapping[str, Any] = document.get(scope, {})
            gaps += [(scope, name, _ms(table["gap"])) for name, table in named.items()]
        identity = document.get("identity", {})
        nobody = frozenset(map(normalised_value, identity.get("nobody", [])))
        rules = IdentityRules(
            _ms(identity.get("stretch", "30m")),
            {name: _type_rules(name, table) for name, table in identity.get("type", {}).items()},
            _ms(identity.get("final_after", "400d")),
        )
        return gaps, _ms(document.get("grace", "20m")), nobody, rules
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _unusable(file, error) from None


def _activity(file: Path | None, document: dict[str, Any]) -> list[tuple[str, str, bool]]:
    try:
        rules = document.get("churn", {}).get("activity", {})
        counts = [("role", role, True) for role in rules.get("roles", ACTIVE_ROLES)]
        for scope in ("channel", "kind"):
            counts += [(scope, name, bool(value)) for name, value in rules.get(scope, {}).items()]
    except (AttributeError, TypeError) as error:
        raise _unusable(file, error) from None
    return counts


def _cases(file: Path | None, document: dict[str, Any]) -> CaseReference:
    known = tomllib.loads((files("pipeline") / "contract" / "schemas" / "cases.toml").read_text("utf-8"))
    stages: list[tuple[str, int, str, str, bool, bool, bool]] = []
    types = []
    try:
        for rank, (name, table) in enumerate(known["type"].items()):
            own = {**table, **document.get("case", {}).get(name, {})}
            types.append((name, _ms(own["closes_after"])))
            for stage, kinds in own["stages"].items():
                effects = stage in own["closed_by"], stage in own["reopened_by"]
                stages += [(name, rank, kind, stage, kind not in own.get("also", ()), *effects) for kind in kinds]
    except (AttributeError, TypeError, ValueError) as error:
        raise _unusable(file, error) from None
    return CaseReference(stages, types, [(kind,) for kind in known["hand_overs"]], _ms(known["contact_gap"]))


def _type_rules(name: str, table: Mapping[str, Any]) -> TypeRules:
    default = type_rules(f"{name}:", IdentityRules())
    spans = [
        (None if table[field] == "unlimited" else _ms(table[field])) if field in table else usual
        for field, usual in (("hold", default.hold_ms), ("lookback", default.lookback_ms))
    ]
    return TypeRules(spans[0], spans[1], table.get("shared_above", default.shared_above))


def _unusable(file: Path | None, error: Exception) -> InvalidInput:
    what = f"{type(error).__name__}: {error}"
    return InvalidInput(f"PIPELINE_POLICY names {file}, which can't be used ({what}); see docs/journeys.md")


def _ms(text: str) -> int:
    if (match := re.fullmatch(r"\s*(\d+)\s*(ms|s|m|h|d)\s*", text)) is None:
        raise ValueError(f'{text!r} is no duration such as "30m"')
    return int(match[1]) * _MS[match[2]]
