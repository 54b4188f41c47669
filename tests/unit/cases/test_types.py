"""The types of cases in `schemas/cases.toml`, and what is said of one that makes no sense."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline import catalogue
from pipeline.cases import types
from pipeline.cases.types import parse
from pipeline.errors import PipelineError

TICKET: dict[str, Any] = {
    "stages": {"opened": ["ticket_opened"], "resolved": ["ticket_resolved"]},
    "closed_by": ["resolved"],
    "reopened_by": [],
    "closes_after": "60d",
}


def document(**ticket: Any) -> dict[str, Any]:
    return {"version": 1, "contact_gap": "30m", "hand_overs": [], "type": {"ticket": {**TICKET, **ticket}}}


def test_each_kind_is_catalogued_and_reaches_one_stage_of_a_type() -> None:
    loaded = types.load()
    kinds = catalogue.load().kinds
    for each in loaded.types:
        assert set(each.stages) <= set(kinds), each.name
        assert each.made_by, each.name
    assert loaded.hand_overs <= set(kinds)


def test_a_kind_makes_one_type_alone_unless_that_is_said() -> None:
    made: dict[str, str] = {}
    for each in types.load().types:
        for kind in each.made_by:
            assert kind not in made, f"{kind} makes {made.get(kind)} and {each.name}"
            made[kind] = each.name


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (document(closed_by=["done"]), "closed_by names done"),
        (document(reopened_by=["again"]), "reopened_by names again"),
        (document(also=["purchase"]), "also names purchase"),
        (document(color="red"), "unknown color"),
        (document(closes_after="soon"), "closes_after"),
        ({"version": 1}, "it must hold"),
        ({**document(), "type": {"ticket": {"stages": {}}}}, "lacks closed_by, closes_after, reopened_by"),
    ],
)
def test_what_makes_no_sense_is_said(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse(wrong)


def test_a_file_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(types, "_FILE", "nowhere.toml")
    types.load.cache_clear()
    with pytest.raises(PipelineError, match=r"schemas/nowhere\.toml"):
        types.load()
    types.load.cache_clear()
