"""The policy: for how long a touchpoint holds a journey together, how keys are joined, what counts as activity."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from pipeline.durations import duration_ms
from pipeline.errors import InvalidInput
from pipeline.identity import policy as identity_policy
from pipeline.identity.policy import IdentityPolicy
from pipeline.journey import activity, case_policy
from pipeline.journey.activity import ActivityPolicy
from pipeline.journey.case_policy import CasePolicy
from pipeline.touchpoint import CHANNELS

_MAX_DAYS = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Gaps and grace, in milliseconds, how keys are joined, what counts as activity, and when cases are closed."""

    gap_ms: int
    grace_ms: int
    by_channel: Mapping[str, int] = field(default_factory=dict)
    by_kind: Mapping[str, int] = field(default_factory=dict)
    identity: IdentityPolicy = field(default_factory=IdentityPolicy)
    activity: ActivityPolicy = field(default_factory=ActivityPolicy)
    cases: Mapping[str, CasePolicy] = field(default_factory=dict)

    def gap(self, channel: str, kind: str) -> int:
        """Return the gap of a touchpoint: its kind's, else its channel's, else the one for all."""
        by_kind = self.by_kind.get(kind)
        return by_kind if by_kind is not None else self.by_channel.get(channel, self.gap_ms)


def read(file: Path | None) -> Policy:
    """Return the policy in a TOML file, or the default one; raises InvalidInput, which names file and place."""
    where = str(file) if file else "the default policy"
    try:
        text = (file or files("pipeline.journey") / "default_policy.toml").read_text(encoding="utf-8")
        return parse(tomllib.loads(text))
    except FileNotFoundError:
        raise InvalidInput(f"PIPELINE_POLICY names {where}, which is not there") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValueError) as error:
        raise InvalidInput(f"The journey policy {where} can't be used: {error}") from None


def parse(document: Mapping[str, Any]) -> Policy:
    """Return a policy from its TOML document; raises ValueError that says what is wrong in which place."""
    if unknown := set(document) - {"gap", "grace", "channel", "kind", "identity", "churn", "case"}:
        raise ValueError(
            f"unknown {_list(unknown)}; it takes gap, grace, [channel.NAME], [kind.NAME], [identity], [churn] "
            "and [case.TYPE]"
        )
    channels = _gaps(document.get("channel", {}), "channel")
    if unknown := set(channels) - set(CHANNELS):
        raise ValueError(f"unknown channel {_list(unknown)}; the channels are {', '.join(CHANNELS)}")
    return Policy(
        gap_ms=duration_ms(document.get("gap", "30m"), "gap", _MAX_DAYS),
        grace_ms=duration_ms(document.get("grace", "20m"), "grace", _MAX_DAYS),
        by_channel=channels,
        by_kind=_gaps(document.get("kind", {}), "kind"),
        identity=identity_policy.parse(document.get("identity", {})),
        activity=activity.parse(document.get("churn", {})),
        cases=case_policy.parse(document.get("case", {})),
    )


def _gaps(tables: object, place: str) -> dict[str, int]:
    if not isinstance(tables, Mapping):
        raise ValueError(f"{place} must be tables, as [{place}.NAME]")
    gaps = {}
    for name, table in tables.items():
        if not isinstance(table, Mapping) or set(table) != {"gap"}:
            raise ValueError(f"[{place}.{name}] must hold gap and nothing else")
        gaps[name] = duration_ms(table["gap"], f"[{place}.{name}] gap", _MAX_DAYS)
    return gaps


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names))
