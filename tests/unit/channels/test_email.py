from __future__ import annotations

from typing import Any

import pytest

from pipeline import catalogue
from pipeline.channels import email, hashing
from pipeline.contract.reject import Rejected
from pipeline.contract.validate import check
from pipeline.touchpoint import Touchpoint

EVENT = {
    "event": "delivered",
    "email": "Anna@Example.org",
    "timestamp": 1_777_636_800,
    "sg_event_id": "e1",
    "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001",
    "category": ["spring", "sale"],
    "ip": "192.0.2.7",
}
read = email.reader()


def one(**change: Any) -> Touchpoint:
    found = read({**EVENT, **change})
    assert isinstance(found, list), found
    assert check(found[0], 1_777_636_800_000) is None
    assert len(found) == 1
    return found[0]


def test_a_delivered_mail_names_the_hashed_address_and_keeps_no_other() -> None:
    assert one() == Touchpoint(
        event_id="e1",
        source="mailer",
        occurred_at=1_777_636_800_000,
        channel="email",
        kind="email_delivered",
        identifiers=(hashing.identifier("email", "anna@example.org"),),
        subject="14c5d75ce93",
        attributes={"campaign": "spring"},
    )


@pytest.mark.parametrize(
    ("event", "kind", "outcome"),
    [
        ("processed", "email_sent", "none"),
        ("open", "email_opened", "none"),
        ("click", "email_clicked", "none"),
        ("bounce", "email_bounced", "failed"),
        ("dropped", "email_dropped", "failed"),
        ("spamreport", "email_complained", "none"),
        ("unsubscribe", "email_unsubscribed", "none"),
        ("group_unsubscribe", "email_unsubscribed", "none"),
        ("group_resubscribe", "email_resubscribed", "none"),
    ],
)
def test_an_event_becomes_a_catalogued_kind(event: str, kind: str, outcome: str) -> None:
    found = one(event=event)
    assert (found.kind, found.outcome) == (kind, outcome)
    assert catalogue.load().entry("email", kind).catalogued


def test_an_opening_by_a_machine_is_told_apart() -> None:
    assert one(event="open", sg_machine_open=True).kind == "email_auto_opened"
    assert one(event="open", sg_machine_open=False).kind == "email_opened"


def test_a_deferred_mail_reached_nobody() -> None:
    assert read({**EVENT, "event": "deferred"}) == []


def test_a_customer_named_in_the_mails_arguments_is_known_by_number() -> None:
    assert one(customer_id=77).customer_id == "77"


def test_of_a_followed_link_host_and_path_are_kept() -> None:
    link = one(event="click", url="https://shop.example/sale/7?who=anna").attributes["link"]
    assert link == "shop.example/sale/7"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"event": "exploded"}, "event is none of processed, delivered, open"),
        ({"event": None}, "event is missing"),
        ({"email": None}, "email is missing"),
        ({"email": "anna"}, "email is not an e-mail address"),
        ({"timestamp": "soon"}, "timestamp must be a whole number"),
        ({"timestamp": None}, "timestamp is missing"),
        ({"sg_event_id": ""}, "sg_event_id is missing"),
    ],
)
def test_a_bad_record_is_refused_with_its_field(change: dict[str, Any], said: str) -> None:
    found = read({**EVENT, **change})
    assert isinstance(found, Rejected)
    assert found.detail.startswith(said)
