"""What counts as activity of a customer."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline import catalogue
from pipeline.flow.traits import TraitsResolver
from pipeline.journey import policy
from pipeline.journey.activity import ActivityPolicy, check_kinds


def counts(channel: str, kind: str, /, **rules: Any) -> bool:
    resolver = TraitsResolver(catalogue.load(), policy.parse({"churn": {"activity": rules}} if rules else {}))
    return resolver.traits(channel, kind, None).is_activity


def test_who_looks_buys_or_uses_is_active_and_who_asks_for_help_or_complains_is_not() -> None:
    assert [counts("web", kind) for kind in ("page_viewed", "purchase", "signed_in")] == [True] * 3
    assert [counts("call_centre", kind) for kind in ("call_answered", "ticket_opened", "complaint_opened")] == [
        False
    ] * 3


def test_who_does_not_come_or_cancels_is_not_active() -> None:
    assert not counts("branch", "appointment_missed")
    assert not counts("web", "order_cancelled")


def test_what_the_company_does_is_no_activity_even_if_the_policy_names_it() -> None:
    assert not counts("email", "email_delivered", kind={"email_delivered": True})
    assert not counts("web", "invoice_paid")


def test_closing_the_account_counts_whatever_the_policy_says() -> None:
    assert counts("web", "account_closed", kind={"account_closed": False})


def test_a_kind_goes_before_its_channel_and_that_before_its_role() -> None:
    assert not counts("email", "email_opened", channel={"email": False})
    assert counts("email", "email_opened", channel={"email": False}, kind={"email_opened": True})
    assert not counts("web", "page_viewed", roles=["buy", "use"])
    assert counts("web", "survey_answered", roles=["answer"])
    assert counts("web", "survey_answered", channel={"web": True})


def test_nothing_makes_help_and_complaints_signs_of_life() -> None:
    assert not counts("call_centre", "call_answered", channel={"call_centre": True}, kind={"call_answered": True})


def test_a_kind_that_the_catalogue_lacks_counts_only_if_the_policy_names_it() -> None:
    assert not counts("web", "made_up")
    assert not counts("web", "made_up", channel={"web": True})
    assert counts("web", "made_up", kind={"made_up": True})


def test_a_kind_that_can_never_count_is_refused_if_the_policy_counts_it() -> None:
    roles = {"call_answered": "help", "survey_answered": "answer", "account_closed": "leave"}
    possible = {"call_answered": False, "survey_answered": True, "account_closed": True, "made_up": True}
    check_kinds(ActivityPolicy(by_kind=possible), roles)
    with pytest.raises(ValueError, match="call_answered has the role help, which is no sign that a customer stays"):
        check_kinds(ActivityPolicy(by_kind={"call_answered": True}), roles)


@pytest.mark.parametrize(
    ("churn", "said"),
    [
        (1, "[churn] must be a table"),
        ({"horizon": 1}, "[churn] has unknown horizon; it takes activity"),
        ({"activity": {"role": []}}, "[churn.activity] has unknown role; it takes channel, kind, roles"),
        ({"activity": {"roles": "buy"}}, "[churn.activity] roles must be a list"),
        (
            {"activity": {"roles": ["help"]}},
            "'help' is no sign that a customer stays; it takes browse, buy, use, answer",
        ),
        ({"activity": {"roles": ["visit"]}}, "'visit' is unknown"),
        ({"activity": {"channel": {"tv": True}}}, "[churn.activity.channel] has the unknown channel tv"),
        ({"activity": {"channel": {"web": "yes"}}}, "[churn.activity.channel] web is 'yes'; it takes true or false"),
        ({"activity": {"kind": {"Page": True}}}, "[churn.activity.kind] Page: kind is not snake_case"),
    ],
)
def test_a_wrong_section_is_refused_with_the_place(churn: Any, said: str) -> None:
    with pytest.raises(ValueError) as raised:
        policy.parse({"churn": churn})
    assert said in str(raised.value)
