"""What `pipeline cases` prints."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.cli.cases import lateness, rows, share_cells, summary, time_cells
from pipeline.cli.output import Cell
from pipeline.queries.cases import Case, CaseDetails, CaseJourney, CaseShare, StageTime

AT = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)


def a_case(**changed: Any) -> Case:
    return Case(
        customer="customer:1", subject="o-1", type="order", status="open", opened_at=AT, last_at=AT, closed_at=None,
        due_at=None, late_ms=None, is_late=False, touchpoints=2, contacts=1, repeats=0, hand_overs=0, reopened=0,
        first_channel="web", channels={"web": 2}, stages=[{"stage": "begun"}, {"stage": "placed"}],
        waits=0, wait_ms=0, outcome="none", answers=0, satisfaction=None, revision=3,
    )._replace(**changed)  # fmt: skip


def test_a_line_says_how_far_a_case_is_and_whether_it_is_late() -> None:
    [line] = rows([a_case(late_ms=7_200_000)])
    assert line == [
        "customer:1", "o-1", "order", Cell("open", "yellow"), "2026-05-01 09:30", "2026-05-01 09:30", "1", "placed",
        "late by 2 h",
    ]  # fmt: skip
    [overfull] = rows([a_case(status="overfull", opened_at=None, last_at=None, stages=[])])
    assert overfull[3:6] == [Cell("overfull", ""), "", ""]


def test_what_is_not_late_yet_says_when_it_is_due() -> None:
    assert lateness(a_case(due_at=AT)) == "due 2026-05-01 09:30"
    assert lateness(a_case(due_at=AT, late_ms=-60_000)) == "early by 1 min"
    assert lateness(a_case()) == ""


def test_a_summary_says_what_there_is_and_nothing_else() -> None:
    journey = CaseJourney("j", AT, AT, "closed", "none")
    full = a_case(
        repeats=1, hand_overs=2, reopened=1, waits=1, wait_ms=90_000, satisfaction=62.5, contacts=3, late_ms=60_000
    )
    assert summary(CaseDetails(full, [], [journey])) == [
        "customer:1  o-1: order, open",
        "  2026-05-01 09:30 to 2026-05-01 09:30 UTC; 2 touchpoints: web 2 (revision 3)",
        "  3 contacts by the customer, 1 of them repeated, 2 hand-overs, reopened 1 time, waited 1 min 30 s, "
        "satisfaction 62 of 100",
        "  late by 1 min",
        "  stages: begun, placed",
        "  went through 1 journey",
    ]
    assert summary(CaseDetails(a_case(stages=[]), [], []))[2:] == ["  1 contact by the customer"]


def test_shares_and_times_have_their_intervals() -> None:
    share = CaseShare("sale", None, "bought", 3, 10, 0.3, 0.108, 0.603)
    assert share_cells(share) == ["sale", "all", "bought", "3 of 10", "30.0 %", "10.8–60.3 %"]
    minute = timedelta(minutes=1)
    time = StageTime("order", "placed", "shipped", 9, 3 * minute, minute, 5 * minute, 8 * minute)
    assert time_cells(time) == ["order", "placed", "shipped", "9", "3 min", "1 min – 5 min", "8 min"]
