"""Which keys a touchpoint names, and which of them is its own."""

from __future__ import annotations

from hashlib import sha256

import pytest

from pipeline.touchpoint import (
    MAX_TEXT,
    Identifier,
    Touchpoint,
    case_subject,
    is_nobody,
    named_keys,
    own_key,
    rank,
    weaker_keys,
)

CARD, MAIL, PHONE = Identifier("loyalty", "L1"), Identifier("email", "e" * 64), Identifier("phone", "f" * 64)
PASSPORT, TABLET = Identifier("passport", "P1"), Identifier("device", "d1")


def event(customer: str | None, anonymous: str | None, *identifiers: Identifier) -> Touchpoint:
    return Touchpoint("1", "shop", 0, customer_id=customer, anonymous_id=anonymous, identifiers=identifiers)


def test_a_customers_number_is_the_strongest_key_and_a_cookie_the_weakest() -> None:
    keys = named_keys(event("1", "a1", TABLET, PASSPORT, PHONE, MAIL, CARD))
    assert [key.partition(":")[0] for key in keys] == [
        "customer", "loyalty", "email", "phone", "passport", "device", "anonymous",
    ]  # fmt: skip
    assert [rank(key) for key in keys] == list(range(7))


@pytest.mark.parametrize(
    ("touchpoint", "own"),
    [
        (event("1", "a1", MAIL), "customer:1"),
        (event(None, "a1", MAIL), f"email:{MAIL.value}"),
        (event(None, "a1", TABLET), "device:d1"),
        (event(None, "a1"), "anonymous:a1"),
        (event(None, None, PHONE, CARD), "loyalty:L1"),
        (event(None, None, Identifier("card", "2"), Identifier("badge", "1")), "card:2"),
        (event("null", "a1"), "anonymous:a1"),
        (event("", "a1", Identifier("loyalty", "0000")), "anonymous:a1"),
        (event(None, None), None),
        (event("guest", " Undefined ", Identifier("", "x"), Identifier("device", "")), None),
    ],
)
def test_the_own_key_is_the_strongest_that_names_somebody_and_of_equals_the_first(
    touchpoint: Touchpoint, own: str | None
) -> None:
    assert own_key(touchpoint) == own
    assert named_keys(touchpoint)[:1] == (() if own is None else (own,))


def test_a_key_that_is_named_twice_is_there_once() -> None:
    assert named_keys(event("1", "a1", CARD, Identifier("customer", "1"), CARD)) == (
        "customer:1", "loyalty:L1", "anonymous:a1",
    )  # fmt: skip


def test_keys_of_the_same_rank_are_named_and_are_not_weaker() -> None:
    keys = named_keys(event(None, "a1", Identifier("card", "2"), Identifier("badge", "1")))
    assert keys == ("card:2", "badge:1", "anonymous:a1")
    assert weaker_keys(keys) == ("anonymous:a1",)


def test_a_weaker_key_that_can_not_be_stored_is_left_out() -> None:
    assert named_keys(event("1", "a" * 190)) == ("customer:1", "anonymous:" + "a" * 190)
    assert named_keys(event("1", "a" * 191, Identifier("device", "a\0b"))) == ("customer:1",)


@pytest.mark.parametrize(
    "value",
    [
        "", "  ", "null", "NULL", " Null\n", "undefined", "[object Object]", "Anonymous", "GUEST", "0", "0000000000",
        "00000000-0000-0000-0000-000000000000", sha256(b"").hexdigest(), sha256(b"").hexdigest().upper(),
    ],
)  # fmt: skip
def test_a_placeholder_names_nobody(value: str) -> None:
    assert is_nobody(f"anonymous:{value}")


@pytest.mark.parametrize("value", ["nullable", "guest-1", "01", "0x0", "-", "n/a", "no"])
def test_what_only_resembles_a_placeholder_names_somebody(value: str) -> None:
    assert not is_nobody(f"anonymous:{value}")


def test_the_policy_can_add_values_that_name_nobody() -> None:
    added = frozenset({"n/a"})
    assert is_nobody("anonymous: N/A", added)
    assert own_key(event("n/a", "a1"), added) == "anonymous:a1"
    assert own_key(event("n/a", None), added) is None


@pytest.mark.parametrize(
    ("subject", "kept"),
    [
        ("order-1", "order-1"),
        (None, None),
        ("", None),
        ("null", None),
        (" Undefined ", None),
        ("0000", None),
        ("a\0b", "a\ufffdb"),
        ("x" * MAX_TEXT, "x" * MAX_TEXT),
    ],
)
def test_a_case_has_the_subject_that_the_event_names_unless_it_is_a_placeholder(
    subject: str | None, kept: str | None
) -> None:
    assert case_subject(subject) == kept


def test_long_subjects_stay_apart_and_fit() -> None:
    kept = {case_subject("x" * 1_000 + end) for end in ("a", "b")}
    assert len(kept) == 2
    assert all(each is not None and len(each) == MAX_TEXT for each in kept)
