from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import catalogue
from pipeline.catalogue import MODALITIES, Entry, load, parse
from pipeline.contract.validate import check_kind
from pipeline.touchpoint import CHANNELS, CORRECTION_KINDS, STAGES

CHANNEL_DEFAULTS = {name: {"modality": "digital", "by": "customer"} for name in CHANNELS}
KIND = {"stage": "before", "by": "customer", "role": "browse", "channels": ["web"], "meaning": "something"}


def document(**kind: Any) -> dict[str, Any]:
    return {"version": 1, "channel": CHANNEL_DEFAULTS, "kind": {"seen": {**KIND, **kind}}}


def test_every_kind_that_the_interface_names_is_catalogued() -> None:
    named = (
        "page_viewed checkout_started email_opened call_queued call_abandoned visit_started survey_answered "
        "complaint_opened purchase account_closed"
    )
    assert [kind for kind in named.split() if kind not in load().kinds] == []


def test_a_delivered_mail_is_the_companys_doing_and_an_opened_one_the_customers() -> None:
    assert load().entry("email", "email_delivered").initiated_by == "company"
    assert load().entry("email", "email_bounced").initiated_by == "company"
    assert load().entry("email", "email_opened").initiated_by == "customer"
    assert load().entry("email", "email_clicked").initiated_by == "customer"


def test_a_mail_opened_by_a_machine_is_no_sign_of_life() -> None:
    assert load().entry("email", "email_auto_opened").initiated_by == "company"


def test_a_call_is_served_in_person_and_a_page_is_not() -> None:
    assert load().entry("call_centre", "call_answered").modality == "in_person"
    assert load().entry("web", "page_viewed").modality == "digital"


def test_a_kind_without_a_modality_takes_its_channels() -> None:
    assert load().entry("branch", "complaint_opened").modality == "in_person"
    assert load().entry("web", "complaint_opened").modality == "digital"


def test_signing_in_proves_who_it_is_a_forwarded_link_only_says_so_and_an_advertisement_shown_neither() -> None:
    assert load().entry("web", "signed_in").identity == "verified"
    assert load().entry("call_centre", "call_answered").identity == "verified"
    assert load().entry("email", "email_clicked").identity == "declared"
    assert load().entry("ads", "ad_impression").identity == "none"
    assert {load().entry("web", kind).identity for kind in CORRECTION_KINDS} == {"none"}


def test_every_correction_is_catalogued() -> None:
    assert all(load().entry("unknown", kind).catalogued for kind in CORRECTION_KINDS)


def test_an_unknown_kind_has_no_stage_and_its_channels_defaults() -> None:
    assert load().entry("email", "made_up") == Entry("made_up", None, "digital", "company", "", False, "declared", None)


@given(st.text(), st.text())
def test_any_channel_and_kind_have_an_entry(channel: str, kind: str) -> None:
    entry = load().entry(channel, kind)
    assert entry.kind == kind
    assert entry.modality in MODALITIES


def test_every_kind_has_a_valid_name_and_stage() -> None:
    for name, kind in load().kinds.items():
        assert check_kind(name) is None
        assert kind.stage in STAGES


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({}, "version is None"),
        ({"version": True}, "version is True"),
        ({"version": 1, "kinds": {}}, "unknown kinds"),
        ({"version": 1, "channel": {}, "kind": {}}, "[channel] lacks web"),
        ({"version": 1, "channel": {"web": 1}, "kind": {}}, "[channel] must hold tables"),
        ({"version": 1, "channel": {"tv": CHANNEL_DEFAULTS["web"]}, "kind": {}}, "channel.tv is 'tv'"),
        (document(stage="later"), "kind.seen.stage is 'later'; it takes one of before, during, after"),
        (document(by="us"), "kind.seen.by is 'us'"),
        (document(modality="odd"), "kind.seen.modality is 'odd'"),
        (document(role="look"), "kind.seen.role is 'look'; it takes one of browse, buy"),
        (document(identity="sure"), "kind.seen.identity is 'sure'; it takes one of verified, declared, none"),
        (document(channels=[]), "kind.seen.channels must list at least one channel"),
        (document(channels=["tv"]), "kind.seen.channels is 'tv'"),
        (document(meaning="two\nlines"), "kind.seen.meaning must be one line"),
        (document(colour="red"), "kind.seen has unknown colour"),
        (
            {"version": 1, "channel": CHANNEL_DEFAULTS, "kind": {"seen": {}}},
            "kind.seen lacks by, channels, meaning, role",
        ),
        ({"version": 1, "channel": CHANNEL_DEFAULTS, "kind": {"Seen": KIND}}, "kind.Seen: kind is not snake_case"),
    ],
)
def test_a_broken_catalogue_is_refused_with_the_place(broken: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as raised:
        parse(broken)
    assert said in str(raised.value)


def test_a_broken_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_FILE", "touchpoint.avsc")
    with pytest.raises(catalogue.PipelineError, match=r"schemas/touchpoint\.avsc can't be used"):
        load.__wrapped__()
