"""Finds the customer that a user of the command line means."""

from __future__ import annotations

from datetime import UTC, datetime
from difflib import get_close_matches

from sqlalchemy import Connection

from pipeline.channels.hashing import identifier
from pipeline.cli.formatting import printable
from pipeline.contract.identifiers import PERSONAL
from pipeline.errors import PipelineError
from pipeline.queries.customers import is_known, neighbours
from pipeline.queries.identity import owner
from pipeline.touchpoint import ANONYMOUS, CUSTOMER

FORMS = (
    "A key is customer:ID, or ID alone; anonymous:ID for somebody known by a cookie or device; else the type and value "
    "of an identifier, as email:SHA256 (email:ADDRESS and phone:+NUMBER are hashed here) or loyalty:NUMBER."
)
_ALIKE = 0.85
_SUGGESTIONS = 3


class UnknownCustomer(PipelineError):
    """No customer of that key has been seen."""


def find(connection: Connection, given: str) -> str:
    """Return the key of the customer; of a key that belongs to somebody, the owner's.

    Raises UnknownCustomer, which states the forms of keys, and similar ones.
    """
    tried = forms(given)
    for key in tried:
        if is_known(connection, key):
            return key
    for key in tried:
        if (holder := owner(connection, key, datetime.now(UTC))) != key and is_known(connection, holder):
            return holder
    around = {other for key in tried for other in neighbours(connection, key)}
    message = f"No customer {printable(given)!r} is known. {FORMS}"
    if not around:
        message = f"There are no customers yet: has `pipeline worker` processed some touchpoints? {FORMS}"
    elif meant := alike(given, tried, sorted(around)):
        message += f" Did you mean {' or '.join(map(printable, meant))}?"
    raise UnknownCustomer(message)


def forms(given: str) -> list[str]:
    """Return the keys that a text may stand for, likeliest first."""
    given = given.strip()
    kind, colon, value = given.partition(":")
    if not colon:
        keys = [f"{CUSTOMER}:{given}", f"{ANONYMOUS}:{given}"]
        return [*keys, *_hashed("email", given)] if "@" in given else keys
    # A customer's own number may hold a colon.
    return [given, *_hashed(kind.lower(), value), f"{kind.lower()}:{value}", f"{CUSTOMER}:{given}"]


def alike(given: str, tried: list[str], known: list[str]) -> list[str]:
    """Return the keys among `known` that are similar to what was given, the most similar first."""
    values = {key.partition(":")[2]: key for key in known}
    similar = [values[value] for value in get_close_matches(given, list(values), _SUGGESTIONS, _ALIKE)]
    for key in tried:
        similar += get_close_matches(key, known, _SUGGESTIONS, _ALIKE)
    return list(dict.fromkeys(similar))[:_SUGGESTIONS]


def _hashed(kind: str, value: str) -> list[str]:
    if kind not in PERSONAL:
        return []
    try:
        return [f"{kind}:{identifier(kind, value).value}"]
    except ValueError:
        return []
