"""The touchpoint event, and which keys it names. Times are epoch milliseconds (UTC) everywhere inside the project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from hashlib import blake2b
from types import MappingProxyType
from typing import NamedTuple

CHANNELS = (
    "web", "app", "email", "sms", "push", "chat", "call_centre", "branch",
    "social", "ads", "event", "referral", "review", "partner", "unknown",
)  # fmt: skip
STAGES = ("before", "during", "after")
OUTCOMES = ("none", "succeeded", "failed", "abandoned")
#: Who begins a contact.
INITIATORS = ("customer", "company")
#: What a touchpoint is to the customer; schemas/catalogue.toml says what each means.
ROLES = ("browse", "buy", "use", "help", "complain", "answer", "leave", "inform")

#: Kinds of corrections: they are no contacts, but change what other events have said of who is who.
IDENTITY_RETRACTED, IDENTITY_ENDED = "identity_retracted", "identity_ended"
CUSTOMER_MERGED, CUSTOMER_SPLIT = "customer_merged", "customer_split"
CORRECTION_KINDS = (IDENTITY_RETRACTED, IDENTITY_ENDED, CUSTOMER_MERGED, CUSTOMER_SPLIT)
#: The attribute of `CUSTOMER_MERGED` that has the id of the customer who is merged into `customer_id`.
MERGED_CUSTOMER = "merged_customer_id"

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
    due_at: int | None = None
    begun_by: str | None = None
    sequence: int | None = None


CUSTOMER, ANONYMOUS = "customer", "anonymous"
_OTHER = "…"
#: Types of keys, the strongest first: the one statement of this order. `_OTHER` stands for all types not named here.
KEY_TYPES = (CUSTOMER, "loyalty", "email", "phone", _OTHER, "device", ANONYMOUS)
#: The fields that name keys, in the order in which they count of equal ranks.
KEY_FIELDS = ("customer_id", "identifiers", "anonymous_id")
#: Longest key, event_id, source and subject of a case, in characters.
MAX_TEXT = 200

_RANKS = {name: place for place, name in enumerate(KEY_TYPES)}
#: Values that name nobody, in lower case; the hash is that of the empty text.
_NOBODY = frozenset(
    {
        "", "null", "undefined", "[object object]", "anonymous", "guest",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }
)  # fmt: skip


def rank(key: str) -> int:
    """Return the rank of a key by its type, 0 for the strongest."""
    return _RANKS.get(key.partition(":")[0], _RANKS[_OTHER])


def normalised_value(value: str) -> str:
    """Return a value of a key as it is compared with those that name nobody."""
    return value.strip().lower()


def is_nobody(key: str, nobody: Set[str] = frozenset()) -> bool:
    """Return whether a key's value names nobody: a placeholder such as null or guest, or nothing but zeros.

    `nobody` are normalised values that name nobody besides those that never do.
    """
    value = normalised_value(key.partition(":")[2])
    return value in nobody or _is_placeholder(value)


def _is_placeholder(value: str) -> bool:
    return value in _NOBODY or ("0" in value and not value.strip("0-"))


def case_subject(subject: str | None) -> str | None:
    """Return the subject of a case as it is kept; None where an event names none, or a placeholder such as null.

    A longer one than `MAX_TEXT` is cut, and ends in its digest. A NUL can't be stored.
    """
    if not subject or _is_placeholder(normalised_value(subject)):
        return None
    kept = subject.replace("\0", "\ufffd")
    if len(kept) <= MAX_TEXT:
        return kept
    return f"{kept[: MAX_TEXT - 17]}…{blake2b(subject.encode(), digest_size=8).hexdigest()}"


def own_key(touchpoint: Touchpoint, nobody: Set[str] = frozenset()) -> str | None:
    """Return the strongest key that is named, by which events are partitioned; None if nobody is named.

    Of equal ranks it is the first. `nobody` are values that name nobody, as in `is_nobody`.
    """
    return min(_keys(touchpoint, nobody), key=rank, default=None)


def named_keys(touchpoint: Touchpoint, nobody: Set[str] = frozenset()) -> tuple[str, ...]:
    """Return all keys that are named, each once, the own key first, then by rank.

    Left out are keys besides the own one that cannot be stored: those that are too long, or hold a NUL.
    """
    keys = sorted(dict.fromkeys(_keys(touchpoint, nobody)), key=rank)
    return (*keys[:1], *filter(is_storable, keys[1:]))


def weaker_keys(keys: Sequence[str]) -> tuple[str, ...]:
    """Return of keys, by rank, those that are weaker than the first, each once."""
    own = rank(keys[0])
    return tuple([key for key in dict.fromkeys(keys) if rank(key) > own])


def is_storable(key: str) -> bool:
    """Return whether a key can be stored: it is not too long, and holds no NUL."""
    return len(key) <= MAX_TEXT and "\0" not in key


def _keys(t: Touchpoint, nobody: Set[str]) -> list[str]:
    """Return the keys that name somebody, in the order of `KEY_FIELDS`."""
    keys = [f"{CUSTOMER}:{t.customer_id}"] if t.customer_id else []
    keys += [f"{each.type}:{each.value}" for each in t.identifiers if each.type and each.value]
    if t.anonymous_id:
        keys.append(f"{ANONYMOUS}:{t.anonymous_id}")
    return [key for key in keys if not is_nobody(key, nobody)]
