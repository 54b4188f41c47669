from __future__ import annotations

import pytest

from pipeline.channels import branch
from pipeline.contract.reject import Rejected
from pipeline.contract.validate import check
from pipeline.touchpoint import Feedback, Touchpoint

NOON_MS = 1_777_636_800_000  # 2026-05-01T12:00:00Z
SERVED = {
    "ticket_id": "A17",
    "branch": "north",
    "service": "cash",
    "customer_number": "c1",
    "issued_at": "2026-05-01T12:00:00Z",
    "called_at": "2026-05-01T12:08:00Z",
    "finished_at": "2026-05-01T12:11:00Z",
    "counter": "3",
    "result": "served",
    "rating": "4",
}
LEFT = {**SERVED, "result": "left", "called_at": "", "rating": "", "counter": ""}
read = branch.reader()


def accepted(record: dict[str, str]) -> list[Touchpoint]:
    found = read(record)
    assert isinstance(found, list), found
    assert [check(touchpoint, NOON_MS) for touchpoint in found] == [None] * len(found)
    assert len({touchpoint.event_id for touchpoint in found}) == len(found)
    return found


def test_a_ticket_that_was_served_is_a_visit_a_service_and_an_answer() -> None:
    started, served, answered = accepted(SERVED)
    assert started == Touchpoint(
        event_id=f"north-{NOON_MS}-A17-started",
        source="branch-queue",
        occurred_at=NOON_MS,
        channel="branch",
        kind="visit_started",
        customer_id="c1",
        subject=f"north-{NOON_MS}-A17",
        attributes={"branch": "north", "service": "cash", "counter": "3"},
    )
    assert (served.kind, served.occurred_at, served.outcome, served.wait_ms, served.duration_ms) == (
        "counter_served",
        NOON_MS + 480_000,
        "succeeded",
        480_000,
        180_000,
    )
    assert (answered.kind, answered.occurred_at) == ("survey_answered", NOON_MS + 660_000)
    assert answered.feedback == Feedback("csat", 4.0)
    assert answered.attributes["about"] == "branch/counter_served"


def test_a_customer_who_left_abandoned_the_visit_when_the_machine_noticed() -> None:
    _, abandoned = accepted(LEFT)
    assert (abandoned.kind, abandoned.outcome, abandoned.wait_ms) == ("visit_abandoned", "abandoned", 660_000)


def test_a_customer_who_was_called_in_vain_had_left_by_then() -> None:
    _, abandoned = accepted({**LEFT, "result": "no_show", "called_at": SERVED["called_at"], "finished_at": ""})
    assert (abandoned.kind, abandoned.wait_ms) == ("visit_abandoned", 480_000)


def test_a_departure_that_nobody_noticed_has_no_wait() -> None:
    _, abandoned = accepted({**LEFT, "finished_at": ""})
    assert (abandoned.kind, abandoned.wait_ms) == ("visit_abandoned", None)


def test_the_same_ticket_number_on_another_day_is_another_visit() -> None:
    other = {**SERVED, "issued_at": "2026-04-30T12:00:00Z"}
    assert {t.event_id for t in accepted(SERVED)}.isdisjoint(t.event_id for t in accepted(other))


def test_a_ticket_without_a_customer_is_a_visitor_of_its_own() -> None:
    found = accepted({**SERVED, "customer_number": ""})
    assert {t.anonymous_id for t in found} == {f"branch-queue:north-{NOON_MS}-A17"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ticket_id": ""}, "ticket_id is missing"),
        ({"issued_at": "2026-05-01 12:00"}, "issued_at is not an RFC 3339 time"),
        ({"result": "gone"}, "result is none of served, left, no_show"),
        ({"called_at": ""}, "called_at is missing, though the result is served"),
        ({"called_at": "2026-05-01T11:00:00Z"}, "called_at is before issued_at"),
        ({"finished_at": "2026-05-01T12:01:00Z"}, "finished_at is before called_at"),
        ({"rating": "6"}, "rating must be 1 to 5"),
    ],
)
def test_a_bad_record_is_refused_with_its_field(change: dict[str, str], said: str) -> None:
    found = read({**SERVED, **change})
    assert isinstance(found, Rejected)
    assert found.detail.startswith(said)
