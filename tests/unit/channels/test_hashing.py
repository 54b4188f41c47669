from __future__ import annotations

from hashlib import sha256

import pytest

from pipeline.channels.hashing import email, phone, with_hashes
from pipeline.contract.identifiers import check_identifiers
from pipeline.contract.reject import Rejected
from pipeline.touchpoint import Identifier, Touchpoint


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("address", ["anna@example.org", "  Anna@Example.ORG\n", "ANNA@EXAMPLE.ORG"])
def test_an_address_is_trimmed_and_lower_cased_before_hashing(address: str) -> None:
    assert email(address) == Identifier("email", digest("anna@example.org"))


def test_tags_and_dots_in_an_address_are_kept() -> None:
    assert email("an.na+shop@example.org") == Identifier("email", digest("an.na+shop@example.org"))


@pytest.mark.parametrize("address", ["", "anna", "@example.org", "anna@", "a@b@c", "an na@example.org"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="is not an e-mail address"):
        email(address)


@pytest.mark.parametrize(
    "number", ["+49 30 901820", "0049 30 90 18 20", "+49 (0)30 901820", "+49-30-901820", "+49.30/901820"]
)
def test_the_ways_to_write_an_international_number_are_one(number: str) -> None:
    assert phone(number) == Identifier("phone", digest("4930901820"))


def test_a_national_number_needs_its_country() -> None:
    assert phone("030 901820", "49") == phone("+49 30 901820")
    with pytest.raises(ValueError, match="without its country"):
        phone("030 901820")


@pytest.mark.parametrize("number", ["+", "+49 CALL ME", "+0123456789", "+1234567890123456", "+12"])
def test_what_is_no_number_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match=r"E\.164"):
        phone(number)


def test_plain_identifiers_of_a_touchpoint_are_hashed_and_hashes_kept() -> None:
    hashed = digest("anna@example.org")
    given = Touchpoint(
        "1", "s", 0, identifiers=(Identifier("email", "Anna@example.org"), Identifier("phone", "+49 30 901820"),
                                  Identifier("email", hashed.upper()), Identifier("loyalty", "L1"))
    )  # fmt: skip
    found = with_hashes(given)
    assert isinstance(found, Touchpoint)
    assert found.identifiers == (
        Identifier("email", hashed),
        Identifier("phone", digest("4930901820")),
        Identifier("email", hashed),
        Identifier("loyalty", "L1"),
    )
    assert check_identifiers(found.identifiers) is None


def test_an_identifier_that_can_not_be_hashed_is_refused_without_quoting_it() -> None:
    assert with_hashes(Touchpoint("1", "s", 0, identifiers=(Identifier("phone", "030 901820"),))) == Rejected(
        "invalid_value", "identifiers[0] (phone) is a phone number without its country: write it with +"
    )
