"""Identifiers of customers: those that are personal are hashed, so that no raw address or number becomes a key."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.contract.reject import Rejected
from pipeline.touchpoint import Identifier

#: Types whose values are SHA-256, in 64 hexadecimal digits in lower case.
PERSONAL = ("email", "phone")

_HASH = re.compile(r"[0-9a-f]{64}")
_ANY_HASH = re.compile(r"[0-9a-fA-F]{64}")
#: The same in Avro: the type, each text after its length.
_PERSONAL_AVRO = re.compile(rb"\n(?:email|phone)")
_HASHED_AVRO = re.compile(rb"\n(?:email|phone)\x80\x01[0-9a-f]{64}")


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


def check_identifiers(identifiers: Sequence[Identifier]) -> Rejected | None:
    """Return a rejection for a personal identifier that is not hashed; it does not quote the value."""
    for number, each in enumerate(identifiers):
        if each.type in PERSONAL and not _HASH.fullmatch(each.value):
            return Rejected(
                "invalid_value", f"identifiers[{number}] ({each.type}) is not a SHA-256 in 64 hexadecimal digits"
            )
    return None


def are_hashed_in_avro(array: bytes) -> bool:
    """Return whether in an array of identifiers, encoded in Avro, all personal ones are hashed; False if in doubt."""
    return len(_PERSONAL_AVRO.findall(array)) == len(_HASHED_AVRO.findall(array))
