"""The types of cases, as `schemas/cases.toml` has them: what makes a case one of a type, its stages, and its end."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence, Set
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from pipeline.durations import duration_ms
from pipeline.errors import PipelineError

#: The type of a case whose touchpoints make none.
UNKNOWN = "unknown"

_FILE = "cases.toml"
_MAX_DAYS = 3_660
_FIELDS = frozenset({"version", "contact_gap", "hand_overs", "type"})
_TYPE_FIELDS = frozenset({"stages", "also", "closed_by", "reopened_by", "closes_after"})


class CaseType(NamedTuple):
    """A type of cases.

    `stages` has the stage that a kind reaches, `made_by` the kinds of which one makes a case this type. Stages of
    `closed_by` close it, those of `reopened_by` open it again. An open case counts as closed `closes_after_ms`
    milliseconds after its last touchpoint; None: never.
    """

    name: str
    stages: Mapping[str, str]
    made_by: Set[str]
    closed_by: Set[str]
    reopened_by: Set[str]
    closes_after_ms: int | None


class CaseTypes(NamedTuple):
    """All types, the strongest first; the longest pause within a contact, and the kinds that hand customers over."""

    types: Sequence[CaseType]
    contact_gap_ms: int
    hand_overs: Set[str]


@cache
def load() -> CaseTypes:
    """Return the types that stand in `schemas/cases.toml`. Raises PipelineError when the file is not as it should."""
    try:
        text = (files("pipeline.contract") / "schemas" / _FILE).read_text(encoding="utf-8")
        return parse(tomllib.loads(text))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValueError) as error:
        raise PipelineError(f"The types of cases, schemas/{_FILE}, can't be used: {error}") from None


def parse(document: Mapping[str, Any]) -> CaseTypes:
    """Return the types of a TOML document; raises ValueError that says what is wrong in which place."""
    if set(document) != _FIELDS:
        raise ValueError(f"it must hold {', '.join(sorted(_FIELDS))}, and nothing else")
    return CaseTypes(
        [_type(name, table) for name, table in document["type"].items()],
        duration_ms(document["contact_gap"], "contact_gap", _MAX_DAYS),
        frozenset(document["hand_overs"]),
    )


def _type(name: str, table: Mapping[str, Any]) -> CaseType:
    place = f"[type.{name}]"
    if unknown := sorted(set(table) - _TYPE_FIELDS):
        raise ValueError(f"{place} has unknown {', '.join(unknown)}; it takes {', '.join(sorted(_TYPE_FIELDS))}")
    if missing := sorted(_TYPE_FIELDS - {"also"} - set(table)):
        raise ValueError(f"{place} lacks {', '.join(missing)}")
    stages = {kind: stage for stage, kinds in table["stages"].items() for kind in kinds}
    for field in ("closed_by", "reopened_by"):
        if unknown := sorted(set(table[field]) - set(stages.values())):
            raise ValueError(f"{place} {field} names {', '.join(unknown)}, which is none of its stages")
    also = set(table.get("also", ()))
    if unknown := sorted(also - set(stages)):
        raise ValueError(f"{place} also names {', '.join(unknown)}, which reaches none of its stages")
    return CaseType(
        name,
        stages,
        frozenset(stages) - also,
        frozenset(table["closed_by"]),
        frozenset(table["reopened_by"]),
        duration_ms(table["closes_after"], f"{place} closes_after", _MAX_DAYS),
    )
