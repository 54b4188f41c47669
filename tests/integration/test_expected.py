"""Satisfaction by touchpoint, of those who did not answer, and weighted by who does: from the tables, with models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from random import Random
from typing import Any

import pytest
from harness import Pipe
from sqlalchemy import text

from pipeline.touchpoint import Feedback, Identifier, Touchpoint

START = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
CUSTOMERS = 240


def number_of(customer: int) -> Identifier:
    return Identifier("phone", sha256(str(customer).encode()).hexdigest())


def calls() -> Iterator[Touchpoint]:
    """Calls of half a year that half of the customers are asked about; those whose call failed answer more often.

    Whoever waits long or whose call fails is unhappy, and purchases please. Every third customer calls by a number
    that is known to be theirs only later.
    """
    rng = Random(4)
    for customer in range(CUSTOMERS):
        level = rng.gauss(0, 8)
        phone = number_of(customer)
        who: dict[str, Any] = {"customer_id": f"c{customer}"}
        for number in range(8):
            at = START + (number * 22 + rng.uniform(0, 20)) * DAY
            name, wait, failed = f"{customer}-{number}", round(rng.expovariate(1 / 90_000)), rng.random() < 0.3
            own = {"customer_id": None, "identifiers": (phone,)} if customer % 3 == 0 and number < 7 else who
            if number == 7 and customer % 3 == 0:
                own = who | {"identifiers": (phone,)}

            def event(kind: str, minutes: float, **more: Any) -> Touchpoint:
                when = round((at + timedelta(minutes=minutes)).timestamp() * 1000)  # noqa: B023
                given = {"channel": "call_centre", **own, **more}  # noqa: B023
                return Touchpoint(f"{name}-{kind}", "pbx", when, kind=kind, **given)  # noqa: B023

            if number % 4 == 3:
                yield event("purchase", 0, channel="web", outcome="succeeded")
                felt, about = 85 + level, "web/purchase"
            else:
                yield event("call_queued", 0, outcome="succeeded", wait_ms=wait)
                yield event("call_ended", 5, outcome="failed" if failed else "succeeded")
                felt, about = 80 + level - 45 * failed - wait / 9_000, "call_centre/call_ended"
            if rng.random() < 0.5:
                yield event("survey_sent", 6)
                if rng.random() < (0.9 if failed else 0.45):
                    score = min(5, max(1, round(1 + (felt + rng.gauss(0, 15)) / 25)))
                    yield event("survey_answered", 9, feedback=Feedback("csat", score), attributes={"about": about})


@pytest.fixture
def called(pipe: Pipe) -> Iterator[Pipe]:
    pipe.publish(calls())
    pipe.work()
    yield pipe
    with pipe.engine.begin() as connection:
        connection.execute(text("DELETE FROM model WHERE fit IS NOT NULL"))
        connection.execute(text("UPDATE model SET active = true WHERE name = 'satisfaction' AND version = '1'"))


def test_satisfaction_is_drawn_to_what_touchpoints_get_and_the_silent_are_expected_to_be_unlike_those_who_answer(
    called: Pipe,
) -> None:
    run = called.run
    refused = run("satisfaction", "--expected", check=False)
    assert (refused.returncode, "pipeline fit satisfaction --expected --activate" in refused.stderr) == (2, True)

    # A model with means by touchpoint is taken up without a rebuild, and an answer more is counted by it.
    assert "What touchpoints usually get" in run("fit", "satisfaction", "--version", "own", "--activate").stdout
    parameters = json.loads(run("models", "show", "satisfaction", "own", "--json").stdout)["parameters"]
    assert parameters["prior_mean:web/purchase"] > parameters["prior_mean:call_centre/call_ended"] + 10
    [(about,)] = called.sql("SELECT about FROM satisfaction WHERE customer = 'customer:c1'")
    assert set(about) <= {"call_centre/call_ended", "web/purchase"}
    later = round((START + 200 * DAY).timestamp() * 1000)
    judged = {"attributes": {"about": "web/purchase"}, "feedback": Feedback("csat", 3)}
    common: dict[str, Any] = {"channel": "email", "kind": "survey_answered"}
    called.publish(
        [
            Touchpoint("new", "survey", later, customer_id="c1", **common, **judged),
            # This one was answered by a number, and is given to its customer.
            Touchpoint("by phone", "survey", later, identifiers=(number_of(0),), **common, **judged),
        ]
    )
    called.work()
    assert called.sql("SELECT model FROM satisfaction WHERE customer = 'customer:c1'") == [("satisfaction own",)]
    assert run("audit", check=False).returncode == 0

    # Signals tell what those think who did not answer.
    fitted = run("fit", "satisfaction", "--expected", "--version", "e", "--horizon", "60", "--activate", "--json")
    report = json.loads(fitted.stdout)
    again = run("fit", "satisfaction", "--expected", "--horizon", "60", "--dry-run", "--json").stdout
    assert json.loads(again)["parameters"] == report["parameters"]
    assert report["has_skill"]
    assert report["parameters"]["coefficient_failed"] < -1
    assert report["parameters"]["coefficient_wait"] < -0.2
    assert "a gain beyond chance" in run("models", "show", "expected_satisfaction", "e").stdout
    shown = json.loads(run("satisfaction", "--expected", "--json").stdout)
    assert shown["model"] == "expected_satisfaction e"
    [call] = [each for each in shown["touchpoints"] if each["touchpoint"] == "call_centre/call_ended"]
    assert call["answered"] < call["silent"]
    assert call["expected"] > call["mean"] + 2  # the annoyed answer more often
    assert abs(call["expected_of_answered"] - call["mean"]) < 3
    assert "It is no answer." in run("satisfaction", "--expected").stdout
    customer = json.loads(run("customer", "customer:c1", "--json").stdout)
    assert {each["touchpoint"] for each in customer["expected"]} <= {"call_centre/call_ended", "web/purchase"}
    assert "not answered, expected from waits" in run("customer", "customer:c1").stdout

    weighted = json.loads(run("satisfaction", "--weighted", "--json").stdout)
    assert weighted["cap"] == 20
    [calls] = [each for each in weighted["figures"] if each["kind"] == "call_ended"]
    assert calls["weighted"]["value"] > calls["raw"]["value"] + 0.05
    assert calls["effective_answers"] < calls["answers"]
    raw = json.loads(run("satisfaction", "--json").stdout)
    assert {(each["kind"], each["figure"]["value"]) for each in raw} == {
        (each["kind"], each["raw"]["value"]) for each in weighted["figures"]
    }
    table = run("satisfaction", "--weighted", "--by", "all").stdout
    assert "Who answers" in table and "at most for 20" in table
    assert "No answers here" in run("satisfaction", "--weighted", "--since", "2027-01-01T00:00:00Z").stderr
    assert "No contacts here" in run("satisfaction", "--expected", "--since", "2027-01-01T00:00:00Z").stderr
    for wrong in (["--expected", "--by", "all"], ["--weighted", "--every", "day"]):
        assert run("satisfaction", *wrong, check=False).returncode == 2

    # A model that foretells nothing is not shown.
    with called.engine.begin() as connection:
        connection.execute(text("UPDATE model SET fit = jsonb_set(fit, '{has_skill}', 'false') WHERE version = 'e'"))
    refused = run("satisfaction", "--expected", check=False)
    assert "no better than what touchpoints usually get" in refused.stderr
    assert json.loads(run("customer", "customer:c1", "--json").stdout)["expected"] == []


def unhappy_calls() -> Iterator[Touchpoint]:
    """Calls like any other, after all of those, that everybody is unhappy with."""
    for customer in range(CUSTOMERS):
        at = round((START + 180 * DAY).timestamp() * 1000) + customer * 60_000
        common: dict[str, Any] = {"channel": "call_centre", "customer_id": f"c{customer}"}
        yield Touchpoint(f"late-{customer}", "pbx", at, kind="call_ended", outcome="succeeded", **common)
        yield Touchpoint(
            f"late-{customer}-said", "pbx", at + 60_000, kind="survey_answered", feedback=Feedback("csat", 1),
            attributes={"about": "call_centre/call_ended"}, **common,
        )  # fmt: skip


def test_models_of_answers_are_checked_by_answers_that_they_were_not_fitted_to(called: Pipe) -> None:
    run = called.run
    until = f"{START + 110 * DAY:%Y-%m-%dT%H:%M:%SZ}"
    for more in ([], ["--expected"]):
        run("fit", "satisfaction", *more, "--version", "all", "--horizon", "60", "--activate")
    none = run("models", "check", "--model", "expected", check=False)
    assert (none.returncode, "none; 100 are needed" in none.stderr) == (2, True), none.stderr

    for name, more in (("satisfaction", []), ("expected_satisfaction", ["--expected"])):
        run("fit", "satisfaction", *more, "--version", "early", "--horizon", "60", "--until", until)
        run("models", "activate", name, "early", "--worse")
    checked = run("models", "check", "--json", check=False)
    assert checked.stdout, checked.stderr
    found = {each["model"]: each for each in json.loads(checked.stdout)}
    satisfaction, expected = found["satisfaction"], found["expected_satisfaction"]
    for each in (satisfaction, expected):
        assert (each["version"], each["findings"]) == ("early", [])
        assert each["since"] >= until[:19]
        assert each["answers"] >= 100
        assert each["then"]["validation"]["error"]["value"] > 0
    assert set(satisfaction["drift"]) == {
        "usual score of the touchpoint", "points above usual in the answer before", "days since the answer before",
    }  # fmt: skip
    assert {"level of the touchpoint", "wait", "failed", "lateness"} <= set(expected["drift"])
    assert expected["validation"]["error"]["value"] < expected["usual"]["error"]["value"]
    assert expected["calibration"]["slope"] == pytest.approx(1, abs=0.4)
    said = run("models", "check", "--model", "satisfaction").stdout
    assert "what the touchpoint usually gets, then" in said
    assert said.endswith("It holds.\n")

    called.publish(unhappy_calls())
    called.work()
    for name in ("satisfaction", "expected"):
        worse = run("models", "check", "--model", name, check=False)
        assert worse.returncode == 1
        assert "It foretells worse than" in worse.stdout
