"""What admitted events say of who is who: namings and corrections."""

from __future__ import annotations

from typing import Any

import pytest
from memory import NOW, POLICY, WRITERS, Record, record

from pipeline import catalogue
from pipeline.flow import naming
from pipeline.flow.admission import Admission
from pipeline.flow.columnar_admission import MIN_RECORDS
from pipeline.flow.slices import Slice
from pipeline.flow.values import AdmittedSlice
from pipeline.identity.correction import Correction
from pipeline.identity.naming import EventNaming
from pipeline.identity.policy import IdentityPolicy
from pipeline.journey.policy import Policy
from pipeline.touchpoint import Identifier, Touchpoint

MAIL, CARD = Identifier("email", "e" * 64), Identifier("loyalty", "L1")


def event(event_id: str = "e", **fields: Any) -> Touchpoint:
    return Touchpoint(event_id, "shop", NOW, **({"channel": "web", "kind": "page_viewed", "customer_id": "1"} | fields))


def admit(*touchpoints: Touchpoint, identity: IdentityPolicy | None = None) -> AdmittedSlice:
    policy = POLICY if identity is None else Policy(gap_ms=1, grace_ms=1, identity=identity)
    records: list[Record] = [record(each, offset) for offset, each in enumerate(touchpoints)]
    [admitted] = Admission(catalogue.load(), policy, 1).admit([Slice(0, 0, len(records), records)], WRITERS, NOW)
    return admitted


def named(touchpoint: Touchpoint, identity: IdentityPolicy | None = None) -> EventNaming | None:
    """What an event says, which is the same alone and among many."""
    [alone] = admit(touchpoint, identity=identity).admitted
    many = admit(*[touchpoint._replace(event_id=f"e{n}") for n in range(MIN_RECORDS)], identity=identity).admitted
    assert len(many) == MIN_RECORDS
    for number, each in enumerate(many):
        assert each.naming == (None if alone.naming is None else alone.naming._replace(event_id=f"e{number}"))
    return alone.naming


@pytest.mark.parametrize(
    ("fields", "keys"),
    [
        ({"anonymous_id": "a"}, ("anonymous:a",)),
        ({"anonymous_id": "a", "identifiers": (MAIL, CARD)}, ("loyalty:L1", f"email:{MAIL.value}", "anonymous:a")),
        ({"customer_id": None, "anonymous_id": "a", "identifiers": (MAIL,)}, ("anonymous:a",)),
        ({"customer_id": None, "identifiers": (MAIL, CARD)}, (f"email:{MAIL.value}",)),
        ({"anonymous_id": "null", "identifiers": (CARD,)}, ("loyalty:L1",)),
    ],
)
def test_an_event_links_the_weaker_keys_that_it_names(fields: dict[str, Any], keys: tuple[str, ...]) -> None:
    assert named(event(**fields)) == EventNaming(keys, "verified", "shop", "e")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"customer_id": None, "anonymous_id": "a"},
        {"anonymous_id": "null"},
        {"anonymous_id": "a" * 200},
        {"customer_id": None, "identifiers": (Identifier("card", "1"), Identifier("badge", "2"))},
        {"anonymous_id": "a", "channel": "ads", "kind": "ad_impression"},
    ],
)
def test_an_event_that_names_no_weaker_key_or_proves_nothing_links_nothing(fields: dict[str, Any]) -> None:
    assert named(event(**fields)) is None


def test_how_far_a_naming_is_trusted_follows_from_the_kind_and_the_policy() -> None:
    both = {"anonymous_id": "a"}
    clicked = event(channel="email", kind="email_clicked", **both)
    declared, verified = EventNaming(("anonymous:a",), "declared", "shop", "e"), "verified"
    assert named(clicked) == declared
    assert named(event(kind="made_up", **both)) == declared
    assert named(clicked, IdentityPolicy(trust_by_source={"shop": "verified"})) == declared._replace(trust=verified)
    by_kind = IdentityPolicy(trust_by_kind={"email_clicked": "none"}, trust_by_source={"shop": "verified"})
    assert named(clicked, by_kind) is None
    assert named(event(**both), IdentityPolicy(trust_by_channel={"web": "declared"})) == declared


def test_values_that_the_policy_adds_name_nobody() -> None:
    identity = IdentityPolicy(nobody=frozenset({"n/a"}))
    assert named(event(anonymous_id="N/A"), identity) is None
    many = [event(f"e{n}", customer_id="n/a", anonymous_id="a") for n in range(MIN_RECORDS)]
    assert {sent.key for sent in admit(*many, identity=identity).forwarded} == {b"anonymous:a"}
    [refused] = admit(event(customer_id="n/a"), identity=identity).refused
    assert refused.why.reason == "no_customer"


def test_namings_are_the_same_after_keys_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "_MEMO", 3)
    events = [event(f"e{n}", anonymous_id=f"a{n % 10}") for n in range(MIN_RECORDS)]
    assert [each.naming and each.naming.keys for each in admit(*events).admitted] == [
        (f"anonymous:a{n % 10}",) for n in range(MIN_RECORDS)
    ]


def test_corrections_are_no_touchpoints() -> None:
    merged = event("m", kind="customer_merged", attributes={"merged_customer_id": "2"})
    ended = event("x", kind="identity_ended", customer_id=None, anonymous_id="a", identifiers=(CARD,))
    split = event("s", kind="customer_split", subject="m")
    many = admit(*[event(f"e{n}") for n in range(MIN_RECORDS)], merged, ended, split)
    assert len(many.admitted) == MIN_RECORDS
    assert many.corrections == [
        Correction("customer:1", ("customer:1",), "customer_merged", NOW, "shop", "m", None, "customer:2"),
        Correction("loyalty:L1", ("loyalty:L1", "anonymous:a"), "identity_ended", NOW, "shop", "x"),
        Correction("customer:1", ("customer:1",), "customer_split", NOW, "shop", "s", "m"),
    ]


def test_a_correction_with_the_wrong_key_is_sent_on() -> None:
    sent = record(event("x", kind="identity_ended"), 0, key=b"customer:2")
    [admitted] = Admission(catalogue.load(), POLICY, 1).admit([Slice(0, 0, 1, [sent])], WRITERS, NOW)
    assert [each.key for each in admitted.forwarded] == [b"customer:1"]
    assert not admitted.corrections
