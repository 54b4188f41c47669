"""Normalises and hashes identifiers, so that no plain address or number leaves the producer."""

from __future__ import annotations

import re
from hashlib import sha256

from pipeline.contract.identifiers import PERSONAL, is_hash, lower_hashes
from pipeline.contract.reject import Rejected
from pipeline.touchpoint import Identifier, Touchpoint

_SEPARATORS = re.compile(r"[\s()./\u2010-\u2015-]+")
_E164 = re.compile(r"[1-9]\d{6,14}", re.ASCII)


def email(address: str) -> Identifier:
    """Return the identifier of an e-mail address: the SHA-256 (64 hex digits) of the trimmed, lower-cased UTF-8.

    Nothing else is normalised: dots and `+tags` before the @ are different mailboxes with most providers, and the other
    systems that hash addresses (advertising platforms, delivery providers) do the same. Raises ValueError, without
    quoting it, when there is no one @ with something on both sides.
    """
    plain = address.strip().lower()
    name, at, domain = plain.partition("@")
    if not (name and at and domain) or "@" in domain or any(c.isspace() for c in plain):
        raise ValueError("is not an e-mail address")
    return Identifier("email", _sha256(plain))


def phone(number: str, country_code: str | None = None) -> Identifier:
    """Return the identifier of a phone number: SHA-256, as 64 hex digits, of its E.164 digits without the plus.

    Spaces, dashes, dots, slashes and brackets are dropped, `00` and `+` in front mean the same. A national number
    (`030 …`) needs `country_code` (such as "49"), whose one trunk zero it loses; without one it is refused, since
    guessing the country would join different people. Raises ValueError, without quoting it, when it is no number.
    """
    plain = _SEPARATORS.sub("", number.replace("(0)", ""))
    if plain.startswith("+"):
        digits = plain[1:]
    elif plain.startswith("00"):
        digits = plain[2:]
    elif country_code is not None:
        digits = country_code.lstrip("+") + plain.removeprefix("0")
    else:
        raise ValueError("is a phone number without its country: write it with +")
    if not _E164.fullmatch(digits):
        raise ValueError("is not a phone number in the form of E.164")
    return Identifier("phone", _sha256(digits))


def with_hashes(touchpoint: Touchpoint) -> Touchpoint | Rejected:
    """Return the touchpoint with plain addresses and numbers among its identifiers hashed.

    Hashes stay, in lower case.
    """
    if not touchpoint.identifiers:
        return touchpoint
    try:
        hashed = [_hashed(number, given) for number, given in enumerate(touchpoint.identifiers)]
    except ValueError as error:
        return Rejected("invalid_value", str(error))
    return touchpoint._replace(identifiers=lower_hashes(hashed))


def _hashed(number: int, given: Identifier) -> Identifier:
    if given.type not in PERSONAL:
        return given
    if is_hash(given.value):
        return given
    try:
        return email(given.value) if given.type == "email" else phone(given.value)
    except ValueError as error:
        raise ValueError(f"identifiers[{number}] ({given.type}) {error}") from None


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()
