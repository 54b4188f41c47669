"""A journey for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.cli.journeys import heading, lines, rows
from pipeline.queries.customers import JourneyView

START = datetime(2026, 5, 1, 23, 50, tzinfo=UTC)


def step(minute: int, kind: str = "page_viewed", channel: str = "web", **more: Any) -> dict[str, Any]:
    at = (START + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")
    return {"at": at, "channel": channel, "kind": kind, "stage": "before", "outcome": "none", **more}


def journey(steps: list[dict[str, Any]], omitted: int = 0) -> JourneyView:
    return JourneyView(
        journey_id="j",
        status="closed",
        revision=2,
        started_at=START,
        ended_at=START + timedelta(minutes=30),
        touchpoints=len(steps) + omitted,
        channels={"web": 1, "branch": 2},
        outcome="failed",
        failures=1,
        abandoned=0,
        steps=steps,
        steps_omitted=omitted,
    )


def texts(view: JourneyView, most: int = 30) -> list[list[str]]:
    return [[cell if isinstance(cell, str) else cell.text for cell in row] for row in rows(view, most)]


def test_the_same_thing_on_end_takes_one_line() -> None:
    view = [step(0), step(1), step(2, "cart_added"), step(3)]
    assert [(line.kind, line.times) for line in lines(view)] == [
        ("page_viewed", 2),
        ("cart_added", 1),
        ("page_viewed", 1),
    ]


def test_steps_with_an_outcome_or_a_wait_have_lines_of_their_own() -> None:
    failed = [step(n, "checkout_failed", outcome="failed") for n in range(2)]
    waited = [step(n, "call_queued", wait_ms=1_000) for n in range(2)]
    assert [line.times for line in lines(failed + waited)] == [1, 1, 1, 1]


def test_a_line_never_spans_midnight() -> None:
    assert [line.times for line in lines([step(9), step(10), step(11)])] == [1, 2]


def test_the_date_is_said_when_it_changes() -> None:
    shown = texts(journey([step(0), step(5, "cart_added"), step(10)]))
    assert [row[0] for row in shown] == ["2026-05-01 23:50:00", "           23:55:00", "2026-05-02 00:00:00"]


def test_details_say_waits_answers_and_money() -> None:
    full = step(0, "purchase", outcome="succeeded", wait_ms=61_000, score=75.0, amount_minor=1999, currency="EUR")
    assert texts(journey([full]))[0][3:] == ["succeeded", "waited 1 min 1 s, answered 75 of 100, 19.99 EUR"]


@pytest.mark.parametrize(
    ("late_ms", "said"),
    [
        (26 * 60_000, "due 23:24, late by 26 min"),
        (-5 * 60_000, "due 23:55, early by 5 min"),
        (0, "due 23:50, on time"),
        (2 * 86_400_000, "due 2026-04-29 23:50, late by 2 days"),
        (-3_600_000, "due 2026-05-02 00:50, early by 1 h"),
    ],
)
def test_details_say_when_it_was_due_and_by_how_much_that_was_missed(late_ms: int, said: str) -> None:
    assert texts(journey([step(0, "order_delivered", late_ms=late_ms)]))[0][4] == said


def test_details_say_who_began_it_where_the_event_says_so() -> None:
    assert texts(journey([step(0, "purchase", begun_by="company", late_ms=0)]))[0][4] == (
        "due 23:50, on time, begun by the company"
    )


def test_a_long_journey_shows_its_beginning_and_end_and_says_what_is_between() -> None:
    shown = texts(journey([step(n, f"kind_{n}") for n in range(10)]), most=4)
    assert [row[2] for row in shown] == ["kind_0", "kind_1", "… 6 more steps …", "kind_8", "kind_9"]


def test_steps_that_the_ledger_left_out_are_counted_between_the_halves_it_kept() -> None:
    shown = texts(journey([step(n, f"kind_{n}") for n in range(4)], omitted=50))
    assert [row[2] for row in shown] == ["kind_0", "kind_1", "… 50 more steps …", "kind_2", "kind_3"]


def test_a_limit_of_one_line_still_says_what_is_left_out() -> None:
    shown = texts(journey([step(n, f"kind_{n}") for n in range(3)]), most=1)
    assert [row[2] for row in shown] == ["kind_0", "… 2 more steps …"]


def test_the_heading_says_when_how_and_where() -> None:
    assert heading(journey([step(0), step(1), step(2)])) == (
        "2026-05-01 23:50 to 2026-05-02 00:20   closed, failed in the end; 3 touchpoints: branch 2, web 1 (revision 2)"
    )
