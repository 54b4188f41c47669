"""The commands that read: customer, touchpoints, at-risk; on what a worker made of one small world."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
from harness import Pipe
from sqlalchemy import Engine, text
from starting_here import from_here

from pipeline.touchpoint import Feedback, Identifier, Touchpoint

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOW = time.time_ns() // 1_000_000
ANNA = sha256(b"anna@example.com").hexdigest()


class Teller:
    """Numbers events as it tells them."""

    def __init__(self) -> None:
        self.told: list[Touchpoint] = []

    def __call__(self, at: int, channel: str, kind: str, customer: str | None = None, **more: Any) -> None:
        self.told.append(
            Touchpoint(f"e{len(self.told)}", "test", at, channel=channel, kind=kind, customer_id=customer, **more)
        )


def world() -> list[Touchpoint]:
    """A loyal customer who went silent, one long lost, one who closed the account, visitors, and what went wrong."""
    tell = Teller()
    for day in range(45, 15, -2):
        tell(NOW - day * DAY, "web", "page_viewed", "loyal")
        tell(NOW - (day + 60) * DAY, "web", "page_viewed", "long-lost")
    start = NOW - 15 * DAY
    tell(start, "web", "checkout_started", "loyal")
    tell(start + MINUTE, "web", "checkout_failed", "loyal", outcome="failed")
    tell(start + 10 * MINUTE, "call_centre", "call_queued", "loyal", outcome="abandoned", wait_ms=185_000)
    tell(start + HOUR, "branch", "visit_started", "loyal")
    tell(start + HOUR + MINUTE, "branch", "counter_served", "loyal", outcome="succeeded", wait_ms=60_000)
    tell(start + HOUR + 2 * MINUTE, "branch", "survey_answered", "loyal", feedback=Feedback("csat", 2.0))
    tell(NOW - 70 * DAY, "web", "page_viewed", "gone")
    tell(NOW - 60 * DAY, "web", "page_viewed", "gone")
    tell(NOW - 50 * DAY, "web", "account_closed", "gone")
    for number in range(40):
        tell(NOW - HOUR, "web", "page_viewed", f"fresh-{number}")
        tell(NOW - 30 * MINUTE, "web", "checkout_started", f"fresh-{number}")
        tell(NOW - 29 * MINUTE, "web", "checkout_abandoned", f"fresh-{number}", outcome="abandoned")
    tell(NOW - HOUR, "web", "hologram_seen", anonymous_id="cookie-1")
    tell(NOW - 90 * DAY, "web", "page_viewed", anonymous_id="cookie-2")
    tell(NOW - 85 * DAY, "web", "page_viewed", anonymous_id="cookie-2")
    tell(NOW - HOUR, "email", "email_opened", identifiers=(Identifier("email", ANNA),))
    tell(NOW - HOUR, "web", "page_viewed", "evil\x1b[31m")
    return tell.told


@pytest.fixture(scope="module")
def told(stack_env: dict[str, str], initialised: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipe]:
    """The world, processed once for all tests here, none of which changes it."""
    pipe = from_here(stack_env, initialised, tmp_path_factory.mktemp("reading"))
    pipe.publish(world())
    pipe.work()
    yield pipe
    for worker in pipe.workers:
        if worker.poll() is None:
            worker.kill()
            worker.wait()


def read(pipe: Pipe, *arguments: str) -> Any:
    return json.loads(pipe.run(*arguments, "--json").stdout)


def test_a_customer_s_journey_is_told_step_by_step_across_channels(told: Pipe) -> None:
    said = told.run("customer", "customer:loyal").stdout
    latest = said[said.index("Journeys") :]
    steps = ["checkout_started", "checkout_failed", "call_queued", "visit_started", "counter_served", "survey_answered"]
    places = [latest.index(step) for step in steps]
    assert places == sorted(places)
    assert "given up" in latest
    assert "waited 3 min 5 s" in latest
    assert "answered 25 of 100" in latest
    assert "UTC" in latest


def test_the_latest_journeys_come_first_and_as_many_as_asked_for(told: Pipe) -> None:
    found = read(told, "customer", "loyal", "--journeys", "3")
    starts = [journey["started_at"] for journey in found["journeys"]]
    assert len(starts) == 3
    assert starts == sorted(starts, reverse=True)
    assert found["journeys"][0]["channels"] == {"web": 2, "branch": 3, "call_centre": 1}
    assert found["journey_count"] == 16
    assert found["touchpoints"] == 21


def test_scores_are_as_of_now_and_not_as_they_were_stored(told: Pipe) -> None:
    found = read(told, "customer", "loyal")
    (risk,) = told.sql("SELECT probability FROM churn_risk_now WHERE customer = 'customer:loyal'")
    (score,) = told.sql("SELECT score, answers FROM satisfaction_at(now()) WHERE customer = 'customer:loyal'")
    (stored,) = told.sql("SELECT answers FROM satisfaction WHERE customer = 'customer:loyal'")
    assert found["churn_risk"]["probability"] == pytest.approx(risk.probability, abs=1e-4)
    assert found["satisfaction"]["score"] == pytest.approx(score.score, abs=1e-3)
    assert found["satisfaction"]["answers"] == pytest.approx(score.answers, abs=1e-4)
    assert found["satisfaction"]["answers"] < stored.answers
    assert found["churn_risk"]["reasons"][0]["text"].startswith("silent for 14 days")


def test_a_customer_is_found_by_the_bare_number_and_by_a_plain_address(told: Pipe) -> None:
    assert read(told, "customer", "loyal")["customer"] == "customer:loyal"
    assert read(told, "customer", "cookie-1")["customer"] == "anonymous:cookie-1"
    assert read(told, "customer", "email:Anna@Example.com")["customer"] == f"email:{ANNA}"


def test_somebody_who_never_began_a_contact_and_never_answered_has_no_scores(told: Pipe) -> None:
    said = told.run("customer", "cookie-1").stdout
    assert "unknown: no answer to any survey yet" in said
    assert read(told, "customer", "cookie-1")["satisfaction"] is None


def test_an_unknown_customer_is_an_error_that_says_how_keys_look_and_who_is_alike(told: Pipe) -> None:
    done = told.run("customer", "loyall", check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "customer:ID" in done.stderr
    assert "Did you mean customer:loyal?" in done.stderr


def test_a_customer_s_key_does_nothing_to_the_terminal(told: Pipe) -> None:
    done = told.run("customer", "evil\x1b[31m")
    assert "\x1b" not in done.stdout
    assert "evil\\x1b[31m" in done.stdout


def test_touchpoints_come_with_what_hurts_most_first(told: Pipe) -> None:
    found = read(told, "touchpoints")
    assert (found[0]["channel"], found[0]["kind"]) == ("web", "checkout_abandoned")
    hurts = [one["hurt"] for one in found]
    assert hurts == sorted(hurts, reverse=True)
    assert 0 < hurts[0] < 40, "40 of 40 gave up, of which 37 are sure"
    by_kind = {(one["channel"], one["kind"]): one for one in found}
    assert by_kind["web", "checkout_failed"]["failed_share"] == 1
    assert by_kind["call_centre", "call_queued"]["wait_ms_mean"] == 185_000


def test_every_touchpoint_is_there_with_the_numbers_of_the_view(told: Pipe) -> None:
    shown = {(one["stage"], one["channel"], one["kind"]): one["events"] for one in read(told, "touchpoints")}
    view = {(row.stage, row.channel, row.kind): row.events for row in told.sql("SELECT * FROM touchpoint_score")}
    assert shown == view
    assert sum(shown.values()) == len(world())


def test_touchpoints_can_be_sorted_and_narrowed(told: Pipe) -> None:
    volumes = [one["events"] for one in read(told, "touchpoints", "--sort", "volume")]
    assert volumes == sorted(volumes, reverse=True)
    assert {one["channel"] for one in read(told, "touchpoints", "--channel", "branch")} == {"branch"}
    assert {one["stage"] for one in read(told, "touchpoints", "--stage", "during")} == {"during"}
    waits = [one["wait_ms_mean"] for one in read(told, "touchpoints", "--sort", "wait", "--limit", "3")]
    assert waits == [185_000, 60_000, None]


def test_an_uncatalogued_kind_is_marked_as_such(told: Pipe) -> None:
    said = told.run("touchpoints").stdout
    assert "hologram_seen *" in said
    assert "* not in the catalogue" in said
    assert [one["kind"] for one in read(told, "touchpoints", "--stage", "unknown")] == ["hologram_seen"]


def test_whom_the_company_is_about_to_lose_comes_first_and_closed_accounts_last(told: Pipe) -> None:
    everyone = read(told, "at-risk", "--limit", "1000")
    customers = [one["customer"] for one in everyone]
    assert customers[0] == "customer:loyal"
    assert customers[-1] == "customer:gone"
    assert customers.index("customer:long-lost") > customers.index("customer:loyal")
    assert "anonymous:cookie-2" in customers
    assert {one["band"] for one in everyone} == {"high", "medium"}
    assert everyone[0]["reasons"][0]["code"] == "silence"
    assert everyone[-1]["reasons"][0]["code"] == "account_closed"


def test_customers_at_risk_can_be_narrowed_to_a_band_and_to_those_known_by_number(told: Pipe) -> None:
    bands = told.sql("SELECT band, count(*) AS n FROM churn_risk_now GROUP BY band")
    for row in bands:
        assert len(read(told, "at-risk", "--band", row.band, "--limit", "1000")) == row.n
    named = [one["customer"] for one in read(told, "at-risk", "--named", "--limit", "1000")]
    assert named
    assert all(customer.startswith("customer:") for customer in named)


def test_tables_go_to_standard_output_unfolded_and_without_colours_in_a_pipe(told: Pipe) -> None:
    done = told.run("at-risk")
    assert done.stderr == ""
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("customer:loyal")]
    assert "silent for 14 days" in row
    assert "has come back 15 times before (lowers the risk)" in row
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("command", [("customer", "loyal"), ("touchpoints",), ("at-risk",), ("quarantine", "list")])
def test_a_database_without_tables_is_told_from_one_that_is_away(told: Pipe, command: tuple[str, ...]) -> None:
    url = told.env["DATABASE_URL"]
    with told.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("DROP DATABASE IF EXISTS unmigrated"))
        connection.execute(text("CREATE DATABASE unmigrated"))
    empty = Pipe({**told.env, "DATABASE_URL": url.rpartition("/")[0] + "/unmigrated"}, told.engine, told.folder)
    done = empty.run(*command, check=False)
    assert done.returncode == 2
    assert "Run `pipeline init`" in done.stderr
    away = Pipe(
        {**told.env, "DATABASE_URL": "postgresql+psycopg://user:secret@127.0.0.1:1/gone"}, told.engine, told.folder
    )
    done = away.run(*command, check=False)
    assert done.returncode == 1
    assert "gone at 127.0.0.1:1 can't be used" in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr
