"""Identifiers of customers: those that are personal are hashed, so that no raw address or number becomes a key."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.contract.reject import Rejected
from pipeline.touchpoint import Identifier

#: Types whose values are SHA-256, in 64 hexadecimal digits in lower case.
PERSONAL = ("email", "phone", "social")

_HEX, _DIGITS = "0123456789abcdef", 64
_ANY_HASH = re.compile(r"[0-9a-fA-F]{64}")


def is_hash(value: str) -> bool:
    """Return whether a value is a SHA-256 in hexadecimal, in lower or upper case."""
    return _ANY_HASH.fullmatch(value) is not None


def lower_hashes(identifiers: Sequence[Identifier]) -> tuple[Identifier, ...]:
    """Return identifiers with the hashes of personal ones in lower case."""
    return tuple(
        [
            each._replace(value=each.value.lower()) if each.type in PERSONAL and is_hash(each.value) else each
            for each in identifiers
        ]
    )


def is_acceptable(type: str, value: str) -> bool:
    """Return whether an identifier is hashed, if its type is a personal one."""
    return type not in PERSONAL or (len(value) == _DIGITS and not value.strip(_HEX))


def check_identifiers(identifiers: Sequence[Identifier]) -> Rejected | None:
    """Return a rejection for a personal identifier that is not hashed; it does not quote the value."""
    for number, each in enumerate(identifiers):
        if not is_acceptable(*each):
            return Rejected(
                "invalid_value", f"identifiers[{number}] ({each.type}) is not a SHA-256 in 64 hexadecimal digits"
            )
    return None
