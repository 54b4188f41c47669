"""Whose touchpoints are: the examples that the rules of identity have to give, by the audit's computation."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from batch_owners import Event, owners_of

from pipeline.audit.identity.owners import Copy, choose
from pipeline.audit.identity.records import IdentityRules, TypeRules, correction, named_keys, namings
from pipeline.touchpoint import Identifier, Touchpoint

T0, MINUTE, DAY = 1_780_000_000_000, 60_000, 86_400_000
EMPTY_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def touchpoint(at: int, customer: str | None = None, cookie: str | None = "a", **more: Any) -> Touchpoint:
    more.setdefault("event_id", f"e{at}")
    mail = more.pop("mail", None)
    identifiers = (Identifier("email", mail),) if mail else ()
    return Touchpoint(
        source="web", occurred_at=T0 + at, customer_id=customer, anonymous_id=cookie, identifiers=identifiers, **more
    )


def named(at: int, customer: str | None = None, cookie: str | None = "a", **more: Any) -> Event:
    trust = more.pop("trust", "verified")
    return Event(touchpoint(at, customer, cookie, **{"kind": "signed_in", **more}), trust)


def names(owners: list[str | None]) -> list[str]:
    """Owners without the prefix of customers; cookies as –."""
    return [(each or "").removeprefix("customer:").replace("anonymous:a", "–") for each in owners]


def test_a_shared_cookie_changes_hands_from_one_sign_in_to_the_next() -> None:
    visitors = [None, None, "ryan", None]
    events = [named(n * MINUTE, who) for n, who in enumerate(visitors)]
    events += [named(DAY + n * MINUTE, who) for n, who in enumerate(["cassidy", None])]
    assert names(owners_of(events)) == ["ryan"] * 4 + ["cassidy"] * 2


def test_two_devices_of_one_customer_are_both_hers() -> None:
    events = [
        named(n * MINUTE + at, who, cookie)
        for at, cookie in ((0, "d1"), (DAY, "d2"))
        for n, who in enumerate([None, None, "U1"])
    ]
    assert names(owners_of(events)) == ["U1"] * 6


def test_after_a_sign_out_what_follows_is_the_next_ones() -> None:
    events = [
        named(0),
        named(MINUTE, "U1"),
        named(2 * MINUTE, kind="identity_ended", event_id="out"),
        named(DAY),
        named(DAY + MINUTE),
        named(DAY + 2 * MINUTE, "U2"),
    ]
    assert names(owners_of(events)) == ["U1", "U1", "", "U2", "U2", "U2"]


def test_an_order_under_an_address_is_not_the_cookies_last_customers() -> None:
    events = [named(0, "tom"), named(DAY, None, "a", mail="summer", kind="purchase"), named(2 * DAY)]
    assert owners_of(events) == ["customer:tom", "email:summer", "email:summer"]


def test_a_guest_is_taken_in_with_her_cookies_once_she_registers() -> None:
    events = [named(0), named(MINUTE, mail="summer"), named(DAY, "c1", "b", mail="summer"), named(2 * DAY)]
    assert names(owners_of(events)) == ["c1"] * 4


def test_what_was_an_erased_customers_never_falls_to_the_next_one() -> None:
    events = [named(0), named(DAY, "bob"), named(2 * DAY, "alex")]
    assert names(owners_of(events)) == ["bob", "bob", "alex"]
    assert names(owners_of(events, erased={"customer:bob": "erased:1"}))[::2] == ["–", "alex"]
    retracted = [*events, named(3 * DAY, "bob", kind="identity_retracted", subject=f"e{DAY}")]
    assert names(owners_of(retracted)) == ["alex", "bob", "alex", ""]


def test_an_erased_survivor_blocks_what_was_the_merged_customers() -> None:
    events = [
        named(0),
        named(DAY, "bob"),
        named(2 * DAY, "alex"),
        named(0, "bo", None, kind="customer_merged", attributes={"merged_customer_id": "bob"}),
    ]
    assert names(owners_of(events)) == ["bo", "bo", "alex", ""]
    assert names(owners_of(events, erased={"customer:bo": "erased:1"}))[::2] == ["–", "alex"]


def test_of_two_customers_at_one_moment_the_smaller_key_owns_the_cookie() -> None:
    events = [
        named(0, "tom", event_id="x"),
        named(0, "ann", event_id="y"),
        named(0, event_id="z"),
        named(MINUTE, event_id="w"),
    ]
    for order in permutations(events):
        owners = dict(zip([event.touchpoint.event_id for event in order], names(owners_of(order)), strict=True))
        assert owners == {"x": "tom", "y": "ann", "z": "ann", "w": "ann"}


@pytest.mark.parametrize(
    "value", ["Undefined", "null", "[object Object]", "GUEST", "anonymous", "0", "00000000-0000-0000-0000-000000000000"]
)
def test_values_that_are_nobody_join_nobody(value: str) -> None:
    customers = ["ann", "bob", "tom"]
    assert names(owners_of([named(n * MINUTE, who, value) for n, who in enumerate(customers)])) == customers
    assert owners_of([named(0, None, value), named(MINUTE, "ann", value)]) == [None, "customer:ann"]
    assert namings(touchpoint(0, "ann", value), named_keys(touchpoint(0, "ann", value)), "verified") == []


def test_values_that_are_nobody_are_so_in_any_field() -> None:
    assert named_keys(touchpoint(0, "null", "a", mail=EMPTY_HASH.upper())) == ("anonymous:a",)
    assert named_keys(touchpoint(0, "N/A", "0a"), nobody=["n/a"]) == ("anonymous:0a",)
    merge = touchpoint(0, "ann", None, kind="customer_merged", attributes={"merged_customer_id": "Null"})
    assert (found := correction(merge, named_keys(merge))) is not None
    assert found.other is None


def test_a_claim_dated_before_all_that_is_known_restates_the_past() -> None:
    events = [named(10 * DAY), named(11 * DAY, "tom"), named(12 * DAY)]
    assert names(owners_of(events)) == ["tom", "tom", "tom"]
    assert names(owners_of([*events, named(9 * DAY, "ann")])) == ["ann", "tom", "tom", "ann"]


def test_a_retraction_that_comes_first_holds() -> None:
    events = [
        named(5 * DAY, "tom", kind="identity_retracted", subject="claim"),
        named(0),
        named(MINUTE, "tom", event_id="claim"),
    ]
    assert names(owners_of(events)) == ["", "–", "tom"]


def test_a_retraction_acts_on_what_happened_before_it_only() -> None:
    events = [
        named(0, "tom"),
        named(DAY, "tom", kind="identity_retracted"),
        named(DAY + 1),
        named(2 * DAY, "tom"),
        named(-1, "tom", kind="identity_retracted", event_id="early"),
    ]
    assert names(owners_of(events)) == ["tom", "", "tom", "tom", ""]
    assert names(owners_of([*events[:3], named(0)])) == ["tom", "", "–", "–"]


def test_a_retraction_without_a_subject_leaves_other_customers_links() -> None:
    events = [named(0, "tom"), named(DAY, "ann"), named(2 * DAY, "tom", kind="identity_retracted"), named(3 * DAY)]
    assert names(owners_of(events)) == ["tom", "ann", "", "ann"]


def test_a_correction_that_is_taken_back_does_nothing() -> None:
    retraction = named(2 * DAY, "tom", kind="identity_retracted", event_id="r", subject="claim")
    events = [named(0), named(DAY, "tom", event_id="claim"), retraction]
    assert names(owners_of(events)) == ["–", "tom", ""]
    taken_back = named(3 * DAY, "tom", kind="identity_retracted", event_id="rr", subject="r")
    assert names(owners_of([*events, taken_back])) == ["tom", "tom", "", ""]


def merge(at: int, survivor: str, other: str, event_id: str) -> Event:
    return named(
        at, survivor, None, kind="customer_merged", event_id=event_id, attributes={"merged_customer_id": other}
    )


def test_a_merged_customers_touchpoints_are_the_survivors_for_all_time_until_it_is_split() -> None:
    events = [named(0, "tom"), named(DAY), named(2 * DAY, "ann", "b"), merge(9 * DAY, "ann", "tom", "m")]
    assert names(owners_of(events)) == ["ann", "ann", "ann", ""]
    split = named(10 * DAY, "ann", None, kind="customer_split", subject="m")
    assert names(owners_of([*events, split])) == ["tom", "tom", "ann", "", ""]
    not_split = named(11 * DAY, "ann", None, kind="identity_retracted", subject=f"e{10 * DAY}")
    assert names(owners_of([*events, split, not_split])) == ["ann", "ann", "ann", "", "", ""]


def test_a_cycle_of_merges_loses_its_earliest() -> None:
    events = [named(0, who) for who in ("a", "b", "c")]
    circle = [merge(1, "b", "a", "m1"), merge(2, "c", "b", "m2"), merge(3, "a", "c", "m3")]
    assert names(owners_of([*events, *circle]))[:3] == ["a", "a", "a"]


def test_of_two_merges_of_one_customer_the_later_holds_and_of_copies_the_smaller_survivor() -> None:
    events = [named(0, "tom"), merge(DAY, "bob", "tom", "m1"), merge(2 * DAY, "ann", "tom", "m2")]
    copies = [merge(DAY, "bob", "tom", "m1"), merge(DAY, "ann", "tom", "m1"), merge(DAY, "cid", "tom", "m1")]
    for order in permutations([*events[1:], merge(1, "aaa", "tom", "m0")]):
        assert names(owners_of([events[0], *order]))[0] == "ann"
    for order in permutations(copies):
        assert names(owners_of([events[0], *order]))[0] == "ann"


def test_declared_holds_from_then_on_and_claims_no_history_and_none_links_nothing() -> None:
    for trust, owners in (
        ("declared", ["–", "ann", "ann"]),
        ("none", ["–", "ann", "–"]),
        ("verified", ["ann", "ann", "ann"]),
    ):
        assert names(owners_of([named(0), named(DAY, "ann", trust=trust), named(2 * DAY)])) == owners


def test_a_next_stretch_that_is_not_verified_hides_a_verified_one_after_it() -> None:
    assert names(owners_of([named(0), named(DAY, "ann", trust="declared"), named(2 * DAY, "tom")])) == [
        "–",
        "ann",
        "tom",
    ]


def test_hold_and_lookback_are_inclusive_and_bounded_by_type() -> None:
    assert names(owners_of([named(0, "ann"), named(180 * DAY, event_id="x"), named(180 * DAY + 1)])) == [
        "ann",
        "ann",
        "–",
    ]
    assert names(owners_of([named(-1), named(0), named(30 * DAY, "ann")])) == ["–", "ann", "ann"]
    rules = IdentityRules(by_type={"anonymous": TypeRules(5, None, 5)})
    assert names(owners_of([named(-300 * DAY), named(0, "ann"), named(6)], rules)) == ["ann", "ann", "–"]


def test_pauses_up_to_thirty_minutes_do_not_end_a_stretch() -> None:
    for pause, owner in ((30 * MINUTE, "ann"), (30 * MINUTE + 1, "–")):
        events = [named(0, "ann"), named(1, kind="identity_ended"), named(pause - 1), named(pause, "ann", event_id="z")]
        rules = IdentityRules(by_type={"anonymous": TypeRules(None, 0, 5)})
        assert names(owners_of(events, rules)) == ["ann", "", owner, "ann"]


def test_a_key_of_too_many_customers_is_its_own_for_thirty_days_around() -> None:
    tablet = [named(n * DAY, f"c{n}", "tablet") for n in range(6)]
    looks = [
        named(at, None, "tablet", event_id=f"x{at}") for at in (-25 * DAY - 1, 3 * DAY + 1, 35 * DAY, 35 * DAY + 1)
    ]
    owners = owners_of([*tablet, *looks])
    assert names(owners[:6]) == [f"c{n}" for n in range(6)]
    assert owners[6:] == ["customer:c0", "anonymous:tablet", "anonymous:tablet", "customer:c5"]
    family = merge(99 * DAY, "c0", "c1", "m")
    assert owners_of([*tablet, family, *looks])[7:] == ["customer:c0", "customer:c3", "customer:c5", "customer:c5"]


def test_a_key_that_named_more_than_a_thousand_targets_is_shared_for_all_time() -> None:
    probe = named(2)
    each = [named(n * 400 * DAY, f"c{n}") for n in range(1_001)]
    void = [named(n * 400 * DAY + 1, f"c{n}", kind="identity_retracted", event_id=f"r{n}") for n in range(1, 900)]
    assert owners_of([*each[:-1], probe])[-1] == "customer:c0"
    assert owners_of([*each, probe])[-1] == "anonymous:a"
    assert owners_of([*each, *void, probe])[-1] == "anonymous:a"
    assert owners_of([*each[:-1], named(-1, "c-none", trust="none"), probe])[-1] == "customer:c0"


def test_the_copy_under_the_strongest_key_counts_then_the_first() -> None:
    copies = [Copy("anonymous:b", 1), Copy("anonymous:a", 2), Copy("email:z", 9), Copy("email:z", 8)]
    for order in permutations(copies):
        assert choose(order) == Copy("email:z", 8)
    assert choose(copies[:2]) == Copy("anonymous:a", 2)


def test_ranks_and_own_keys() -> None:
    kinds = ["device", "phone", "crm", "email", "loyalty", "email"]
    several = Touchpoint(
        "e",
        "web",
        T0,
        identifiers=tuple(Identifier(kind, str(n + 1)) for n, kind in enumerate(kinds)),
        anonymous_id="a",
    )
    linked = namings(several, named_keys(several), "verified")
    assert {naming.target for naming in linked} == {"loyalty:5"}
    assert {naming.key for naming in linked} == {"device:1", "phone:2", "crm:3", "email:4", "email:6", "anonymous:a"}
    mails = several._replace(identifiers=several.identifiers[3::2])
    assert [naming[:2] for naming in namings(mails, named_keys(mails), "verified")] == [("anonymous:a", "email:4")]
