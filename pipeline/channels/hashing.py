"""Normalises and hashes identifiers, so that no plain address, number or account leaves the producer.

docs/contract.md ("Hashing") says the same for other languages; docs/examples/identifiers.json has test vectors.
"""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256

import idna
import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from pipeline.contract.identifiers import PERSONAL, is_hash
from pipeline.contract.reject import Rejected
from pipeline.touchpoint import Identifier, Touchpoint

_CALLING_CODE = re.compile(r"[1-9]\d{0,2}", re.ASCII)
_NO_NUMBER = "is not a phone number in the form of E.164"
_NO_COUNTRY = "is a phone number without its country: write it with +, or say the country"


def identifier(type: str, value: str, country: str | None = None) -> Identifier:
    """Return the identifier of a customer, as all channels have to send it.

    An `email`, a `phone` and a `social` account become the SHA-256 (64 hex digits) of their normal form; a value that
    is such a hash stays, in lower case. Values of other types are trimmed. `country` (see `region`) is where a phone
    number without + was written down. Raises ValueError, without quoting the value, when it is no address, number or
    account, or when a number lacks its country, since guessing that would join strangers.
    """
    plain, personal = value.strip(), type.strip().lower()
    if personal not in PERSONAL:
        return Identifier(type, plain)
    if is_hash(plain):
        return Identifier(personal, plain.lower())
    if personal == "phone":
        normal = _number(plain, None if country is None else region(country))
    else:
        normal = _address(plain) if personal == "email" else _account(plain)
    return Identifier(personal, sha256(normal.encode()).hexdigest())


def region(country: str) -> str:
    """Return a country's code of two capitals (ISO 3166, as `DE`), given in any case or by its calling code (`49`).

    Raises ValueError when there is no such country.
    """
    given = country.strip().upper().lstrip("+")
    if _CALLING_CODE.fullmatch(given):
        given = phonenumbers.region_code_for_country_code(int(given))
    if given not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("is no country: give two letters of ISO 3166, such as DE, or a calling code, such as 49")
    return given


def with_hashes(touchpoint: Touchpoint, country: str | None = None) -> Touchpoint | Rejected:
    """Return the touchpoint with its identifiers as they have to be sent: plain addresses and numbers hashed.

    `country` is that of phone numbers without +.
    """
    if not touchpoint.identifiers:
        return touchpoint
    hashed = []
    for number, given in enumerate(touchpoint.identifiers):
        try:
            hashed.append(identifier(given.type, given.value, country))
        except ValueError as error:
            return Rejected("invalid_value", f"identifiers[{number}] ({given.type.strip().lower()}) {error}")
    return touchpoint._replace(identifiers=tuple(hashed))


def _address(value: str) -> str:
    """Return an e-mail address in lower case and NFC, its domain in ASCII (`xn--…`).

    Nothing else is normalised: dots and `+tags` before the @ are different mailboxes with most providers, and the other
    systems that hash addresses (advertising platforms, delivery providers) do the same.
    """
    name, _, domain = unicodedata.normalize("NFC", value.lower()).partition("@")
    if not (name and domain) or "@" in domain or any(c.isspace() or "\ud800" <= c <= "\udfff" for c in value):
        raise ValueError("is not an e-mail address")
    ascii_domain = domain if domain.isascii() else _ascii(domain)
    if ascii_domain is None:
        raise ValueError("is not an e-mail address: its domain can't be written in ASCII")
    return f"{name}@{ascii_domain}"


def _account(value: str) -> str:
    """Return an account of a social network as NETWORK/NAME, in lower case and NFC, without an @ before the name.

    Names are unique within a network only, and no network tells them apart by case.
    """
    network, _, name = unicodedata.normalize("NFC", value.lower()).partition("/")
    name = name.removeprefix("@")
    if not (network and name) or "/" in name or any(c.isspace() or "\ud800" <= c <= "\udfff" for c in value):
        raise ValueError("is not an account of a social network, as instagram/anna")
    return f"{network}/{name}"


def _ascii(domain: str) -> str | None:
    """Return an internationalised domain as mail servers write it, by UTS #46; None if that is not possible."""
    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return None


def _number(value: str, region_code: str | None) -> str:
    """Return the digits of a phone number in E.164, without the plus.

    `00` in front means + where no country is given; else it is read as dialled from there.
    """
    plain = f"+{value[2:]}" if region_code is None and value.startswith("00") else value
    try:
        number = phonenumbers.parse(plain, region_code)
    except NumberParseException as error:
        lacks_country = error.error_type == NumberParseException.INVALID_COUNTRY_CODE and plain[0] not in "+＋"
        raise ValueError(_NO_COUNTRY if lacks_country else _NO_NUMBER) from None
    if number.extension:
        raise ValueError("is a phone number with an extension, which an E.164 number can't have")
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        raise ValueError(_NO_NUMBER)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164).removeprefix("+")
