from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pipeline.channels.hashing import identifier, region, with_hashes
from pipeline.contract.identifiers import check_identifiers
from pipeline.contract.reject import Rejected
from pipeline.touchpoint import Identifier, Touchpoint

VECTORS = json.loads((Path(__file__).parents[3] / "docs/examples/identifiers.json").read_text())


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("vector", [vector for vector in VECTORS if "value" in vector])
def test_the_published_test_vectors_hold(vector: dict[str, Any]) -> None:
    found = identifier(vector["type"], vector["given"], vector.get("country"))
    assert found == Identifier(vector["type"], vector["value"])
    assert "hashed" not in vector or digest(vector["hashed"]) == vector["value"]


@pytest.mark.parametrize("vector", [vector for vector in VECTORS if vector.get("refused")])
def test_what_the_test_vectors_refuse_is_refused_without_quoting_it(vector: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^is (not|a phone number)") as error:
        identifier(vector["type"], vector["given"], vector.get("country"))
    assert vector["given"] not in str(error.value)


@pytest.mark.parametrize("address", ["", "@example.org", "anna@", "a@b@c", "an na@example.org", "anna@\udc80.org"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="is not an e-mail address"):
        identifier("email", address)


def test_a_domain_that_has_no_ascii_form_is_refused_and_no_cause_quotes_it() -> None:
    with pytest.raises(ValueError, match="can't be written in ASCII") as error:
        identifier("email", "anna@ü..example")
    assert error.value.__context__ is None


def test_letters_are_lowered_without_a_locale_and_to_composed_characters() -> None:
    assert identifier("email", "İ@example.org").value == digest("i\u0307@example.org")
    assert identifier("email", "ΣΟΦΟΣ@example.org").value == digest("σοφος@example.org")


@pytest.mark.parametrize("account", ["", "anna", "/anna", "instagram/", "instagram/@", "a/b/c", "insta gram/anna"])
def test_what_is_no_account_of_a_social_network_is_refused(account: str) -> None:
    with pytest.raises(ValueError, match="is not an account of a social network"):
        identifier("social", account)


@pytest.mark.parametrize("number", ["+49 30 901820", "0049 30 90 18 20", "+49-30-901820", "+49.30/901820"])
def test_the_ways_to_write_an_international_number_are_one(number: str) -> None:
    assert identifier("phone", number) == Identifier("phone", digest("4930901820"))
    assert identifier("phone", number, "DE") == Identifier("phone", digest("4930901820"))


def test_a_national_number_needs_its_country() -> None:
    with pytest.raises(ValueError, match="without its country"):
        identifier("phone", "030 901820")


@pytest.mark.parametrize("number", ["", "+", "+49 CALL ME", "+0123456789", "+1234567890123456", "+12", "anonymous"])
def test_what_is_no_number_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match=r"E\.164"):
        identifier("phone", number)


@pytest.mark.parametrize("country", ["DE", " de ", "49", "+49"])
def test_a_country_is_a_region_or_its_calling_code(country: str) -> None:
    assert region(country) == "DE"


@pytest.mark.parametrize("country", ["", "XX", "Germany", "999", "800", "001"])
def test_a_country_that_does_not_exist_is_an_error(country: str) -> None:
    with pytest.raises(ValueError, match="is no country"):
        region(country)
    with pytest.raises(ValueError, match="is no country"):
        identifier("phone", "+49 30 901820", country)


def test_a_personal_type_is_found_in_any_case_of_letters() -> None:
    assert identifier(" Email ", "anna@example.org") == identifier("email", "anna@example.org")
    assert identifier("deviceId", "A") == Identifier("deviceId", "A")


def test_plain_identifiers_of_a_touchpoint_are_hashed_and_hashes_kept() -> None:
    hashed = digest("anna@example.org")
    given = Touchpoint(
        "1", "s", 0, identifiers=(Identifier("email", "Anna@example.org"), Identifier("phone", "+49 30 901820"),
                                  Identifier("email", hashed.upper()), Identifier("loyalty", " L1"))
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
        "invalid_value",
        "identifiers[0] (phone) is a phone number without its country: write it with +, or say the country",
    )


def test_a_touchpoint_s_national_numbers_are_of_the_country_that_is_said() -> None:
    found = with_hashes(Touchpoint("1", "s", 0, identifiers=(Identifier("phone", "030 901820"),)), "DE")
    assert isinstance(found, Touchpoint)
    assert found.identifiers == (identifier("phone", "+49 30 901820"),)
