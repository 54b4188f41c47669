"""Which customer a text may stand for."""

from __future__ import annotations

from hashlib import sha256

from pipeline.cli.customer_key import alike, forms


def test_a_bare_id_is_first_a_customer_s_number() -> None:
    assert forms(" 123 ") == ["customer:123", "anonymous:123"]


def test_a_full_key_is_taken_as_it_is_first() -> None:
    assert forms("loyalty:A:1")[0] == "loyalty:A:1"


def test_a_number_with_a_colon_is_found_without_its_prefix() -> None:
    assert "customer:de:42" in forms("de:42")


def test_a_plain_address_is_looked_up_by_its_hash() -> None:
    hashed = "email:" + sha256(b"anna@example.com").hexdigest()
    assert hashed in forms("email:Anna@Example.com")
    assert hashed in forms("Anna@example.com ")


def test_a_plain_phone_number_is_looked_up_by_its_hash() -> None:
    assert "phone:" + sha256(b"4930123456").hexdigest() in forms("Phone:+49 30 123456")


def test_a_slip_of_the_fingers_brings_the_nearest_customers() -> None:
    known = ["anonymous:zzz", "customer:4711", "customer:9"]
    assert alike("47111", forms("47111"), known) == ["customer:4711"]
    assert alike("custmer:4711", forms("custmer:4711"), known) == ["customer:4711"]


def test_nothing_alike_brings_nobody() -> None:
    assert alike("xyz", forms("xyz"), ["customer:4711"]) == []
