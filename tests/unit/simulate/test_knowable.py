"""Whether it can be known whose a simulated touchpoint is."""

from __future__ import annotations

from typing import Any

import pytest
from batch_owners import Event, owners_of
from joined_pairs import joined_pairs

from pipeline import catalogue
from pipeline.identity.policy import IdentityPolicy
from pipeline.simulate.knowable import WHYS, whys
from pipeline.simulate.population import Simulated, simulated
from pipeline.simulate.story import DAY, HOUR, MINUTE
from pipeline.touchpoint import Identifier, Touchpoint

CATALOGUE = catalogue.load()
T0 = 1_780_000_000_000


def did(person: str | None, at: int, kind: str, *keys: str, channel: str = "web", **more: Any) -> Simulated:
    """Something that a person did, and which keys it named."""
    by_type = [(type, value) for type, _, value in (key.partition(":") for key in keys)]
    names = dict(by_type)
    identifiers = tuple(Identifier(*each) for each in by_type if each[0] not in ("customer", "anonymous"))
    touchpoint = Touchpoint(
        f"{person} {at} {kind}", "s", T0 + at, channel=channel, kind=kind, customer_id=names.get("customer"),
        anonymous_id=names.get("anonymous"), identifiers=identifiers, **more,
    )  # fmt: skip
    return Simulated(touchpoint, person)


def told(*events: Simulated) -> list[str | None]:
    return whys(events, CATALOGUE, IdentityPolicy())


def page(person: str, at: int, *keys: str) -> Simulated:
    return did(person, at, "page_viewed", *keys)


def sign_in(person: str, at: int, *keys: str) -> Simulated:
    return did(person, at, "signed_in", *keys)


def call(person: str, at: int, *keys: str) -> Simulated:
    return did(person, at, "call_answered", *keys, channel="call_centre")


ANN = ("customer:ann", "email:ann", "anonymous:a")


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([page("ann", 0, "anonymous:a"), sign_in("ann", DAY, *ANN)], [None, None], id="before signing in"),
        pytest.param(
            [sign_in("ann", 0, *ANN), page("ann", 181 * DAY, "anonymous:a")], [None, "hold_passed"], id="hold"
        ),
        pytest.param(
            [page("ann", 0, "anonymous:a"), sign_in("ann", 31 * DAY, *ANN)], ["lookback_passed", None], id="lookback"
        ),
        pytest.param(
            [page("ann", 0, "anonymous:b"), sign_in("ann", 1, *ANN)], ["never_signed_in", None], id="another device"
        ),
        pytest.param(
            [did("ann", 0, "email_opened", "email:ann", channel="email"), call("ann", 1, "customer:ann", "phone:1")],
            ["address_never_named", None],
            id="address",
        ),
        pytest.param(
            [call("ann", 0, "phone:1"), sign_in("ann", 1, *ANN)], ["caller_never_named", None], id="caller"
        ),
        pytest.param(
            [did("ann", 0, "form_submitted", "email:ann", "anonymous:a"), page("ann", -1, "anonymous:a")],
            [None, "not_yet_trusted"],
            id="declared",
        ),
        pytest.param(
            [page("ann", 0, "anonymous:a"), did("ann", 1, "purchase", "email:ann", "anonymous:a")],
            [None, None],
            id="a guest",
        ),
        pytest.param([page("ann", 0, "anonymous:a"), page("ann", 1, "anonymous:a")], [None, None], id="a visitor"),
        pytest.param(
            [call("ann", 0, "phone:1"), call("bob", 1, "phone:1"), call("ann", 2, "customer:ann", "phone:1")],
            ["family_phone", None, None],
            id="a family's phone",
        ),
        pytest.param(
            [
                call("ann", 0, "phone:1"), did(None, 1, "identity_ended", "phone:1", channel="unknown"),
                call("bob", 2, "customer:bob", "phone:1"), sign_in("ann", 3, *ANN),
            ],
            ["recycled_number", None, None, None],
            id="a recycled number whose first holder never said who they are",
        ),
        pytest.param(
            [
                call("ann", 0, "phone:1"), call("ann", 1, "customer:ann", "phone:1"),
                did(None, 2, "identity_ended", "phone:1", channel="unknown"),
                call("bob", 3, "phone:1"), call("bob", 4, "customer:bob", "phone:1"),
            ],
            [None] * 5,
            id="a recycled number",
        ),
        pytest.param(
            [
                page("ann", 0, "anonymous:f"), sign_in("ann", MINUTE, "customer:ann", "anonymous:f"),
                did(None, HOUR, "identity_ended", "anonymous:f"),
                page("bob", 2 * HOUR, "anonymous:f"), sign_in("bob", 4 * HOUR, "customer:bob", "anonymous:f"),
            ],
            [None, None, None, "family_computer", None],
            id="a family's computer",
        ),
        pytest.param(
            [
                did("ann", 0, "visit_started", "device:t", channel="branch"),
                did("ann", 1, "counter_served", "customer:ann", "device:t", channel="branch"),
                did("bob", 2, "counter_served", "customer:bob", "device:t", channel="branch"),
            ],
            ["shared_tablet", None, None],
            id="a tablet",
        ),
        pytest.param(
            [
                sign_in("ann", 0, "customer:second"), sign_in("ann", 1, "customer:ann"),
                did(None, 2, "customer_merged", "customer:ann", attributes={"merged_customer_id": "second"}),
            ],
            [None, None, None],
            id="two accounts that are merged",
        ),
        pytest.param(
            [page("ann", 0, "customer:ann"), page("ann", 1, "customer:ann"), page("ann", 2, "customer:second")],
            [None, None, "accounts_not_merged"],
            id="two accounts that are not",
        ),
        pytest.param(
            [page("ann", 0, "customer:ann"), did("ann", 1, "visit_started", "loyalty:1", channel="branch")],
            [None, "never_named_together"],
            id="a card that was issued elsewhere",
        ),
    ],
)  # fmt: skip
def test_it_is_said_why_it_can_t_be_known(events: list[Simulated], expected: list[str | None]) -> None:
    assert told(*events) == expected
    assert {why for why in expected if why} <= set(WHYS)


@pytest.mark.parametrize(
    "arguments",
    [
        {"seed": 1, "events": 8_000},
        {"seed": 2, "events": 8_000},
        {"seed": 3, "events": 6_000, "customers": 60},
        {"seed": 4, "events": 6_000, "customers": 200, "days": 300},
    ],
)
def test_what_can_be_known_is_joined_by_the_rules_and_nothing_is_joined_wrongly(arguments: dict[str, int]) -> None:
    weeks = list(simulated(end_ms=T0, identity=True, **arguments))
    found = whys(weeks, CATALOGUE, IdentityPolicy())
    trusts = [CATALOGUE.entry(each.touchpoint.channel, each.touchpoint.kind).identity for each in weeks]
    owners = owners_of([Event(each.touchpoint, trust) for each, trust in zip(weeks, trusts, strict=True)])
    known = [
        (each.person, owner)
        for each, owner, why in zip(weeks, owners, found, strict=True)
        if each.person is not None and why is None
    ]
    pairs = joined_pairs(known)
    assert (pairs.missed, pairs.wrong) == (0, 0)
    assert len(known) > 0.8 * len(weeks)
