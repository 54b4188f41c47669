"""The commands that ask what customers do: tables, JSON, pictures, lists behind numbers, and nothing at all."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from random_journeys import drawn, put
from sqlalchemy import Engine, text

from pipeline.cli import cli
from pipeline.errors import InvalidInput

JOURNEYS = drawn(seed=21, journeys=300, customers=40)
_TABLES = "journey, touchpoint_count, identity_touchpoint, feedback"


@pytest.fixture(scope="module")
def ask(stack_env: dict[str, str], initialised: Engine) -> Iterator[Any]:
    """Run a command on tables with journeys; it must succeed."""
    with initialised.begin() as connection:
        connection.execute(text(f"TRUNCATE {_TABLES}"))
        put(connection, JOURNEYS)

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(cli, list(arguments), env=stack_env)
        assert result.exit_code == code, result.output + str(result.exception)
        return result

    yield run
    with initialised.begin() as connection:
        connection.execute(text(f"TRUNCATE {_TABLES}"))


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_drivers_are_told_with_intervals_and_that_they_are_no_proof(ask: Any) -> None:
    found = json.loads(ask("drivers", "--samples", "50", "--json").stdout)
    whole, low, high = found["r_squared"]
    assert low <= whole <= high
    assert sum(each["weight"] for each in found["drivers"]) == pytest.approx(whole)
    assert sum(each["shapley"] for each in found["drivers"]) == pytest.approx(whole)
    assert all(each["weight_low"] <= each["weight_high"] for each in found["drivers"])
    assert found["cases"] == len(lines(ask("drivers", "--journeys", "--json")))
    said = ask("drivers", "--samples", "50").stdout
    assert "no proof" in said
    assert said == ask("drivers", "--samples", "50").stdout
    assert "had no activity in the last 5 days" in ask(
        "drivers", "leaving", "--horizon", "5", "--until", "2026-03-12T00:00:00Z", "--samples", "50"
    ).stdout  # fmt: skip


def test_removal_effects_are_told_of_touchpoints_and_channels(ask: Any) -> None:
    found = json.loads(ask("drivers", "conversion", "--by", "channel", "--samples", "50", "--json").stdout)
    behind = lines(ask("drivers", "conversion", "--journeys", "--json"))
    assert len(behind) == found["journeys"] == len(JOURNEYS)
    assert sum(each["converted"] for each in behind) / len(JOURNEYS) == pytest.approx(found["converting"])
    assert all(0 < each["effect"] <= 1 for each in found["effects"])
    assert "came to branch/visit_started" in ask("drivers", "conversion", "--to", "branch/visit_started").stdout


def test_a_funnel_has_shares_with_intervals_beside_another_period(ask: Any) -> None:
    steps = ("page_viewed", "web/purchase")
    period = ("--since", "2026-03-09T00:00:00Z", "--compare", "2026-03-02T00:00:00Z..2026-03-09T00:00:00Z")
    found = json.loads(ask("funnel", *steps, *period, "--json").stdout)
    [group] = found["groups"]
    first, second = group["steps"]
    assert second["of_first"]["low"] < second["customers"] / first["customers"] < second["of_first"]["high"]
    assert sum(each["customers"] for each in first["went"]) == first["customers"] - second["customers"]
    assert found["compared"][0]["steps"][0]["customers"] > 0
    said = ask("funnel", *steps, *period).stdout
    assert "points" in said and "Within 7 days." in said
    behind = lines(ask("funnel", *steps, *period[:2], "--journeys", "2", "--json"))
    assert len(behind) == second["customers"]
    assert {each["journey_id"] for each in behind} <= {journey.journey_id for journey in JOURNEYS}
    assert "came by" in ask("funnel", *steps, "--by", "channel").stdout


def test_a_map_is_drawn_and_each_of_its_numbers_can_be_opened(ask: Any, tmp_path: Path) -> None:
    file = tmp_path / "map.svg"
    found = json.loads(
        ask("map", "journey", "--after", "purchase", "--touchpoints", "3", "--svg", str(file), "--json").stdout
    )
    names = {node["touchpoint"] for node in found["nodes"]}
    assert "other" in names and "web/purchase" in names
    assert ET.parse(file).getroot().tag.endswith("svg")
    edge = max(found["edges"], key=lambda each: each["station"] >= 0 and "/" in each["target"] and each["journeys"])
    place = f"{edge['station']}:{edge['source']}>{edge['target']}"
    assert len(lines(ask("map", "journey", "--after", "purchase", "--journeys", place, "--json"))) == edge["journeys"]
    said = ask("map", "journey", "--after", "purchase").stdout
    assert f"After purchase: {found['journeys']} journeys." in said
    refused = ask("map", "journey", "--journeys", "1:other", code=1)
    assert isinstance(refused.exception, InvalidInput)
    refused = ask("map", "journey", "--svg", str(tmp_path / "none" / "map.svg"), code=1)
    assert "can't be written" in str(refused.exception)


def test_coverage_lists_what_was_never_asked_first(ask: Any) -> None:
    found = json.loads(ask("coverage", "--json").stdout)
    asked = [each["covered"]["asked"] for each in found["touchpoints"]]
    assert asked[0] == 0
    first = found["touchpoints"][0]
    assert len(lines(ask("coverage", "--journeys", first["touchpoint"], "--json"))) == first["covered"]["contacts"]
    assert "never" in ask("coverage", "--limit", "1").stdout


@pytest.mark.parametrize(
    "command",
    [
        ("drivers",), ("drivers", "leaving", "--until", "2020-01-01T00:00:00Z"), ("drivers", "conversion"),
        ("funnel", "page_viewed", "purchase"), ("map", "journey"), ("coverage",),
    ],
)  # fmt: skip
def test_of_a_period_without_journeys_each_says_so_and_makes_empty_json(ask: Any, command: tuple[str, ...]) -> None:
    period = () if "--until" in command else ("--since", "2030-01-01T00:00:00Z")
    result = ask(*command, *period)
    assert (result.stdout, result.stderr.count("\n")) == ("", 1)
    json.loads(ask(*command, *period, "--json").stdout)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("funnel", "purchase"), "2 to 10 steps"),
        (("funnel", "fax/purchase", "purchase"), "no channel"),
        (("funnel", "purchase", "page viewed"), "neither KIND nor CHANNEL/KIND"),
        (("funnel", "purchase", "page_viewed", "--journeys", "3"), "1 to 2"),
        (("funnel", "purchase", "page_viewed", "--compare", "3d"), "no period"),
        (("funnel", "purchase", "page_viewed", "--compare", "3d..5d"), "before it begins"),
        (("map", "journey", "--journeys", "web/purchase"), "STATION:TOUCHPOINT"),
        (("map", "journey", "--since", "1d", "--until", "2d"), "--since is not before --until"),
    ],
)
def test_wrong_usage_is_refused(ask: Any, command: tuple[str, ...], said: str) -> None:
    assert said in ask(*command, code=2).stderr
