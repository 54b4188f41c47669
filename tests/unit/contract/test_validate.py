"""What a touchpoint must satisfy beyond its schema, at its bounds."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.contract.reject import REASONS
from pipeline.contract.validate import AHEAD_MS, EARLIEST_MS, LATEST_DUE_MS, check
from pipeline.touchpoint import Feedback, Touchpoint

NOW = 1_700_000_000_000
GOOD = Touchpoint(
    event_id="e1", source="shop", occurred_at=NOW, channel="web", kind="page_viewed", customer_id="c1", outcome="none"
)


@pytest.mark.parametrize(
    ("fields", "reason", "said"),
    [
        ({"channel": "fax"}, "invalid_value", "channel is none of web, app, email"),
        ({"stage": "later"}, "invalid_value", "stage is none of before, during, after"),
        ({"outcome": "lost"}, "invalid_value", "outcome is none of none, succeeded"),
        ({"kind": "Page Viewed"}, "invalid_text", "kind is not snake_case"),
        ({"kind": ""}, "invalid_text", "kind is not snake_case"),
        ({"kind": "a" * 101}, "invalid_text", "kind is not snake_case"),
        ({"event_id": ""}, "invalid_text", "event_id is empty"),
        ({"event_id": "x" * 201}, "invalid_text", "event_id has 201 characters"),
        ({"source": "a\0b"}, "invalid_text", "source holds a NUL"),
        ({"customer_id": "a\0b"}, "invalid_text", "customer's key holds a NUL"),
        ({"customer_id": None}, "no_customer", "all empty"),
        ({"customer_id": ""}, "no_customer", "all empty"),
        ({"customer_id": "guest", "anonymous_id": "0000"}, "no_customer", "hold only what names nobody"),
        ({"occurred_at": EARLIEST_MS - 1}, "time_out_of_range", "before 1990"),
        ({"occurred_at": NOW // 1000}, "time_out_of_range", "are these seconds?"),
        ({"occurred_at": NOW + AHEAD_MS}, "time_out_of_range", "24.0 hours ahead"),
        ({"wait_ms": -1}, "invalid_value", "wait_ms is -1"),
        ({"due_at": NOW // 1000}, "invalid_value", "due_at is 1700000000 ms; it takes 1990 to 2100"),
        ({"due_at": LATEST_DUE_MS + 1}, "invalid_value", "it takes 1990 to 2100"),
        ({"begun_by": "us"}, "invalid_value", "begun_by is none of customer, company"),
        ({"sequence": -1}, "invalid_value", "sequence is -1; it takes 0 or more"),
        ({"duration_ms": 10**15}, "invalid_value", "duration_ms is"),
        ({"amount_minor": 5}, "invalid_value", "needs a currency"),
        ({"amount_minor": 5, "currency": "eur"}, "invalid_value", "needs a currency"),
        ({"currency": "EUR"}, "invalid_value", "without amount_minor"),
        ({"feedback": Feedback("csat", 0)}, "invalid_feedback", "1 to 5"),
        ({"feedback": Feedback("nps", 10.1)}, "invalid_feedback", "0 to 10"),
        ({"feedback": Feedback("ces", float("nan"))}, "invalid_feedback", "ces's scale"),
        ({"feedback": Feedback("sentiment", float("inf"))}, "invalid_feedback", "-1 to 1"),
        ({"feedback": Feedback("mood", 1)}, "invalid_feedback", "instrument is none of"),
    ],
)
def test_what_is_wrong_is_said_with_its_reason(fields: dict[str, Any], reason: str, said: str) -> None:
    wrong = check(GOOD._replace(**fields), NOW)
    assert wrong is not None
    assert wrong.reason == reason
    assert wrong.reason in REASONS
    assert said in wrong.detail


MERGED = {"kind": "customer_merged", "attributes": {"merged_customer_id": "c2"}}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "customer_merged"}, "customer_merged needs attributes.merged_customer_id that names somebody"),
        (MERGED | {"attributes": {"merged_customer_id": "guest"}}, "needs attributes.merged_customer_id"),
        (MERGED | {"attributes": {"merged_customer_id": "a\0b"}}, "merged_customer_id holds a NUL"),
        (MERGED | {"customer_id": None, "anonymous_id": "a1"}, "customer_merged needs customer_id"),
        (MERGED | {"customer_id": "null", "anonymous_id": "a1"}, "customer_merged needs customer_id"),
        ({"kind": "customer_split"}, "customer_split needs the subject"),
        ({"kind": "customer_split", "subject": ""}, "customer_split: subject is empty"),
        ({"kind": "identity_retracted", "subject": "x" * 201}, "identity_retracted: subject has 201 characters"),
    ],
)
def test_a_correction_that_does_not_say_what_it_corrects_is_refused(fields: dict[str, Any], said: str) -> None:
    wrong = check(GOOD._replace(**fields), NOW)
    assert wrong is not None
    assert wrong.reason == "invalid_correction"
    assert said in wrong.detail


@pytest.mark.parametrize(
    "fields",
    [
        {},
        MERGED,
        {"kind": "customer_split", "subject": "e0"},
        {"kind": "identity_retracted"},
        {"kind": "identity_ended", "customer_id": None, "anonymous_id": "a1"},
        {"occurred_at": EARLIEST_MS},
        {"occurred_at": NOW + AHEAD_MS - 1},
        {"wait_ms": 0, "duration_ms": 0},
        {"due_at": EARLIEST_MS, "begun_by": "company", "sequence": 0},
        {"due_at": LATEST_DUE_MS},
        {"amount_minor": -500, "currency": "EUR"},
        {"feedback": Feedback("csat", 1)},
        {"feedback": Feedback("nps", 10)},
        {"feedback": Feedback("sentiment", -1)},
        {"kind": "a" * 100},
        {"channel": "unknown"},
        {"customer_id": None, "anonymous_id": "a1"},
    ],
)
def test_what_lies_on_a_bound_is_accepted(fields: dict[str, Any]) -> None:
    assert check(GOOD._replace(**fields), NOW) is None
