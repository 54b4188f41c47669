"""The touchpoint event, and whose it is. Times are epoch milliseconds (UTC) everywhere inside the project."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

CHANNELS = (
    "web", "app", "email", "sms", "push", "chat", "call_centre", "branch",
    "social", "ads", "event", "referral", "review", "partner", "unknown",
)  # fmt: skip
STAGES = ("before", "during", "after")
OUTCOMES = ("none", "succeeded", "failed", "abandoned")

NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


class Identifier(NamedTuple):
    """Something that identifies a customer; `value` of an e-mail address or phone number is its SHA-256."""

    type: str
    value: str


class Feedback(NamedTuple):
    """What a customer answered, on the instrument's own scale."""

    instrument: str
    score: float
    verbatim: str | None = None


class Touchpoint(NamedTuple):
    """One contact of a customer with the company; the fields are those of `schemas/touchpoint.avsc`.

    It is a named tuple, since one is made for every event, and no other immutable value is made as fast.
    """

    event_id: str
    source: str
    occurred_at: int
    sent_at: int | None = None
    channel: str = "unknown"
    kind: str = ""
    stage: str | None = None
    customer_id: str | None = None
    anonymous_id: str | None = None
    identifiers: tuple[Identifier, ...] = ()
    outcome: str = "none"
    wait_ms: int | None = None
    duration_ms: int | None = None
    feedback: Feedback | None = None
    amount_minor: int | None = None
    currency: str | None = None
    subject: str | None = None
    attributes: Mapping[str, str] = NO_ATTRIBUTES


class KeySource(NamedTuple):
    """A field that can name the customer, and the prefix of its keys; identifiers have their type as prefix (None)."""

    field: str
    prefix: str | None


#: Which field names the customer, the first that is not empty: the one statement of this precedence.
KEY_PRECEDENCE = (
    KeySource("customer_id", "customer:"),
    KeySource("anonymous_id", "anonymous:"),
    KeySource("identifiers", None),
)


def customer_key(touchpoint: Touchpoint) -> str | None:
    """Return the customer's key, by which events are partitioned and journeys joined; None if nobody is named."""
    for field, prefix in KEY_PRECEDENCE:
        value = getattr(touchpoint, field)
        if prefix is None:
            for identifier in value:
                if identifier.type and identifier.value:
                    return f"{identifier.type}:{identifier.value}"
        elif value:
            return prefix + str(value)
    return None


_RANKS = {"customer": 0, "loyalty": 1, "email": 2, "phone": 3, "device": 5, "anonymous": 6}


def rank(key: str) -> int:
    """Return the rank of a key, 0 for the strongest."""
    return _RANKS.get(key.partition(":")[0], 4)
