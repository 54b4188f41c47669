from __future__ import annotations

import pytest

from pipeline.channels import call_centre, hashing
from pipeline.contract.reject import Rejected
from pipeline.contract.validate import check
from pipeline.touchpoint import Touchpoint

NOON_MS = 1_777_636_800_000  # 2026-05-01T12:00:00Z
ANSWERED = {
    "call_id": "7",
    "queued_at": "2026-05-01T12:00:00Z",
    "answered_at": "2026-05-01T12:01:30Z",
    "ended_at": "2026-05-01T12:05:00Z",
    "customer_number": "c1",
    "caller": "+49 30 901820",
    "queue": "cards",
}
ABANDONED = {**ANSWERED, "answered_at": "", "ended_at": "2026-05-01T12:00:50Z"}
read = call_centre.reader("pbx-2")


def accepted(record: dict[str, str]) -> list[Touchpoint]:
    found = read(record)
    assert isinstance(found, list), found
    assert [check(touchpoint, NOON_MS) for touchpoint in found] == [None] * len(found)
    assert len({touchpoint.event_id for touchpoint in found}) == len(found)
    return found


def test_an_answered_call_is_queued_answered_and_ended() -> None:
    queued, answered, ended = accepted(ANSWERED)
    assert queued == Touchpoint(
        event_id="7-queued",
        source="pbx-2",
        occurred_at=NOON_MS,
        channel="call_centre",
        kind="call_queued",
        customer_id="c1",
        identifiers=(hashing.identifier("phone", "+4930901820"),),
        outcome="succeeded",
        wait_ms=90_000,
        subject="7",
        attributes={"queue": "cards"},
    )
    assert (answered.kind, answered.occurred_at, answered.wait_ms, answered.outcome) == (
        "call_answered",
        NOON_MS + 90_000,
        None,
        "none",
    )
    assert (ended.kind, ended.occurred_at, ended.duration_ms) == ("call_ended", NOON_MS + 300_000, 210_000)


def test_an_abandoned_call_is_queued_and_abandoned_with_its_wait() -> None:
    queued, abandoned = accepted(ABANDONED)
    assert (queued.kind, queued.outcome, queued.wait_ms, queued.occurred_at) == (
        "call_queued",
        "abandoned",
        50_000,
        NOON_MS,
    )
    assert (abandoned.kind, abandoned.outcome, abandoned.wait_ms, abandoned.occurred_at) == (
        "call_abandoned",
        "abandoned",
        50_000,
        NOON_MS + 50_000,
    )


def test_a_withheld_number_is_a_caller_of_its_own() -> None:
    found = accepted({**ANSWERED, "customer_number": "", "caller": ""})
    assert {touchpoint.anonymous_id for touchpoint in found} == {"pbx-2:7"}


def test_a_caller_of_the_exchange_s_own_country_needs_no_calling_code() -> None:
    found = call_centre.reader("pbx-2", "DE")({**ANSWERED, "caller": "030 901820"})
    assert found == read(ANSWERED)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"call_id": ""}, "call_id is missing"),
        ({"queued_at": "12:00"}, "queued_at is not an RFC 3339 time"),
        ({"ended_at": ""}, "ended_at is missing"),
        ({"answered_at": "2026-05-01T11:59:00Z"}, "queued_at is after answered_at or ended_at"),
        ({"ended_at": "2026-05-01T12:01:00Z"}, "answered_at is after ended_at"),
        ({"caller": "030 901820"}, "caller is a phone number without its country"),
    ],
)
def test_a_bad_record_is_refused_with_its_field(change: dict[str, str], said: str) -> None:
    found = read({**ANSWERED, **change})
    assert isinstance(found, Rejected)
    assert found.detail.startswith(said)
