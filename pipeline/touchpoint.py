"""The touchpoint event and its words. Times are epoch milliseconds (UTC) everywhere inside the project."""

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
    """What a customer said, on the instrument's own scale."""

    instrument: str
    score: float
    verbatim: str | None = None


class Touchpoint(NamedTuple):
    """One contact of a customer with the company; the fields are those of `schemas/touchpoint.avsc`.

    A named tuple, not a dataclass, since one is made for every event: it is the quickest immutable value.
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


def customer_key(touchpoint: Touchpoint) -> str | None:
    """The key of the customer, by which events are partitioned and journeys joined; None if it names nobody."""
    if touchpoint.customer_id:
        return "customer:" + touchpoint.customer_id
    if touchpoint.anonymous_id:
        return "anonymous:" + touchpoint.anonymous_id
    for identifier in touchpoint.identifiers:
        if identifier.type and identifier.value:
            return f"{identifier.type}:{identifier.value}"
    return None
