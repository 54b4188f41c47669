"""Cases on real servers: tables, topic, commands and audit agree, also when touchpoints move to another customer."""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner, Result
from datasets import dataset
from harness import Pipe
from sqlalchemy import text

from pipeline.cli import cli
from pipeline.topics import CASES
from pipeline.touchpoint import Feedback, Touchpoint

pytestmark = pytest.mark.long

T0 = int(datetime(2026, 3, 2, 9, tzinfo=UTC).timestamp() * 1000)
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def touchpoint(event_id: str, at: int, channel: str, kind: str, **fields: Any) -> Touchpoint:
    return Touchpoint(event_id, "test", T0 + at, channel=channel, kind=kind, **fields)


def a_customers_cases() -> list[Touchpoint]:
    """An order that takes a week and comes late, and a ticket that is solved and taken up again, partly by a cookie."""
    anna = {"customer_id": "anna"}
    order, ticket = {"subject": "o-1"}, {"subject": "t-1"}
    return [
        touchpoint("1", 0, "web", "checkout_started", anonymous_id="x", **order),
        touchpoint(
            "2", 4 * MINUTE, "web", "purchase", anonymous_id="x", **anna, outcome="succeeded", amount_minor=4_900,
            currency="EUR", due_at=T0 + 5 * DAY, **order,
        ),
        touchpoint("3", DAY, "email", "order_shipped", **anna, **order),
        touchpoint("4", 6 * DAY, "web", "ticket_opened", anonymous_id="x", **ticket),
        touchpoint("5", 6 * DAY + HOUR, "call_centre", "call_queued", **anna, wait_ms=90_000, **ticket),
        touchpoint("6", 6 * DAY + 2 * HOUR, "email", "ticket_resolved", **anna, **ticket),
        touchpoint("7", 7 * DAY, "partner", "order_delivered", **anna, due_at=T0 + 5 * DAY, **order),
        touchpoint("8", 8 * DAY, "call_centre", "call_queued", **anna, wait_ms=30_000, **ticket),
        touchpoint("9", 8 * DAY + HOUR, "email", "survey_answered", **anna, feedback=Feedback("csat", 2), **ticket),
        touchpoint("10", 8 * DAY, "web", "page_viewed", **anna),
    ]  # fmt: skip


def states(pipe: Pipe) -> list[tuple[Any, ...]]:
    """All cases but for their revisions, as the table has them."""
    return [
        tuple(row)
        for row in pipe.sql(
            "SELECT customer, subject, type, status, opened_at, last_at, due_at, late_ms, touchpoints, contacts, "
            "repeats, reopened, stages::text, waits, wait_ms, outcome, answers, satisfaction, steps::text, keys "
            "FROM customer_case WHERE status <> 'moved' ORDER BY 1, 2"
        )
    ]


def latest(pipe: Pipe) -> dict[tuple[str, str], dict[str, Any]]:
    """The last record of each case of the topic; each is the next revision."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for record in pipe.records(CASES):
        key = record["customer"], record["subject"]
        assert record["revision"] == (found[key]["revision"] if key in found else 0) + 1
        found[key] = record
    return found


def called(pipe: Pipe, *arguments: str) -> Result:
    """A command, in this process."""
    return CliRunner().invoke(cli, arguments, env=pipe.env)


def printed(pipe: Pipe, *arguments: str) -> str:
    """What a command prints."""
    result = called(pipe, *arguments)
    assert result.exception is None, result.output
    return result.stdout


def test_cases_go_through_journeys_and_customers_in_tables_topic_commands_and_audit(pipe: Pipe) -> None:
    touchpoints = a_customers_cases()
    random.Random(7).shuffle(touchpoints)
    for some in (touchpoints[:5], touchpoints[5:]):
        pipe.publish(some)
        pipe.work()
    assert [row[:2] for row in states(pipe)] == [("customer:anna", "o-1"), ("customer:anna", "t-1")]
    ticket, order = json.loads(printed(pipe, "cases", "list", "--customer", "anna", "--json"))
    assert (order["type"], order["status"], order["touchpoints"]) == ("order", "closed", 4)
    assert [each["stage"] for each in order["stages"]] == ["begun", "placed", "shipped", "delivered"]
    assert (order["late_ms"], order["is_late"], order["outcome"]) == (2 * DAY, True, "succeeded")
    assert (ticket["type"], ticket["contacts"], ticket["repeats"], ticket["reopened"]) == ("ticket", 3, 1, 1)
    assert (ticket["wait_ms"], ticket["satisfaction"]) == (120_000, 25.0)

    topic = latest(pipe)
    table = {(r.customer, r.subject): r for r in pipe.sql("SELECT * FROM customer_case")}
    assert {key: (r["revision"], r["status"], r["touchpoints"]) for key, r in topic.items()} == {
        key: (r.revision, r.status, r.touchpoints) for key, r in table.items()
    }

    shown = printed(pipe, "cases", "show", "anna", "o-1")
    assert "order, closed" in shown
    assert "late by 2 days" in shown
    assert "order_shipped" in shown
    details = json.loads(printed(pipe, "cases", "show", "anna", "t-1", "--json"))
    assert len(details["journeys"]) == 2
    assert [step["kind"] for step in details["steps"]][:2] == ["ticket_opened", "call_queued"]
    assert "no case 'nothing'" in str(called(pipe, "cases", "show", "anna", "nothing").exception)
    assert "o-1" in printed(pipe, "cases", "list", "--late")
    assert printed(pipe, "cases", "list", "--type", "sale") == "There is no such case.\n"
    shares = {row["measure"]: row for row in json.loads(printed(pipe, "cases", "shares", "--json"))}
    assert (shares["promise kept"]["n"], shares["promise kept"]["cases"]) == (0, 1)
    assert (shares["reopened"]["type"], shares["reopened"]["n"]) == ("ticket", 1)
    assert "delivered" in printed(pipe, "cases", "times", "--type", "order")
    assert "0 of 1" in printed(pipe, "cases", "shares", "--by-channel")

    before = states(pipe)
    merged = touchpoint(
        "11", 9 * DAY, "web", "customer_merged", customer_id="anja", attributes={"merged_customer_id": "anna"}
    )
    pipe.publish([merged])
    pipe.work()
    assert [(row[0], *row[1:18]) for row in states(pipe)] == [("customer:anja", *row[1:18]) for row in before]
    assert {key[0] for key, row in latest(pipe).items() if row["status"] != "moved"} == {"customer:anja"}
    assert json.loads(called(pipe, "audit", "--json").stdout)["differences"] == []

    with pipe.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE customer_case SET contacts = contacts + 1, stages = '[]', steps = steps - 0, late_ms = 5 "
                "WHERE subject = 'o-1' AND status <> 'moved'"
            )
        )
        connection.execute(text("UPDATE customer_case SET touchpoints = 1 WHERE subject = 't-1' AND status = 'moved'"))
    told = json.loads(called(pipe, "audit", "--json").stdout)["differences"]
    assert {(each["table"], each["column"]) for each in told} == {
        ("customer_case", column) for column in ("contacts", "stages", "steps", "late_ms", "(row)")
    }


#: How the file calls channels.
CHANNELS = {"Web": "web", "Phone": "call_centre", "Fax": "unknown", "Referral": "referral", "Postal mail": "partner"}


def complaints() -> list[Touchpoint]:
    """The file's complaints, each of a customer of its own: opened, answered by the company, disputed by the customer.

    The file has no time of day, and no day of the answer or the dispute: they come an hour apart here.
    """
    made = []
    file = dataset("cfpb_complaints", "Consumer_Complaints.csv")
    with file.open(newline="", encoding="utf-8", errors="replace") as lines:
        for row in csv.DictReader(lines):
            at = int(datetime.strptime(row["Date received"], "%m/%d/%Y").replace(tzinfo=UTC).timestamp() * 1000)
            number, channel = row["Complaint ID"], CHANNELS[row["Submitted via"]]
            kinds = [("complaint_opened", channel)]
            if row["Company response"] != "In progress":
                kinds.append(("complaint_resolved", "email"))
            if row["Consumer disputed?"] == "Yes":
                kinds.append(("complaint_escalated", "web"))
            made += [
                Touchpoint(
                    f"{number}-{kind}",
                    "cfpb",
                    at + n * HOUR,
                    channel=where,
                    kind=kind,
                    customer_id=number,
                    subject=number,
                )
                for n, (kind, where) in enumerate(kinds)
            ]
    return made


def test_complaints_that_consumers_dispute_by_channel(pipe: Pipe) -> None:
    touchpoints = complaints()
    received = Counter(each.channel for each in touchpoints if each.kind == "complaint_opened")
    pipe.publish(touchpoints)
    pipe.work()
    told = json.loads(printed(pipe, "cases", "shares", "--stages", "--by-channel", "--type", "complaint", "--json"))
    disputed = {row["channel"]: row for row in told if row["measure"] == "escalated"}
    assert {name: row["cases"] for name, row in disputed.items() if name} == received
    rates = {name: round(100 * disputed[channel]["share"], 1) for name, channel in CHANNELS.items()}
    assert rates == {"Web": 14.8, "Referral": 7.1, "Phone": 6.0, "Fax": 3.9, "Postal mail": 3.1}
    assert all(row["low"] < row["share"] < row["high"] for row in disputed.values())
    [reopened] = [
        row
        for row in json.loads(printed(pipe, "cases", "shares", "--type", "complaint", "--json"))
        if row["measure"] == "reopened"
    ]
    assert (reopened["n"], reopened["cases"]) == (1_047, 6_581)
