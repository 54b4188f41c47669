"""A record of the topic as a row of the table `record`: decoded, validated, keyed. Nothing is summed up here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b, sha256
from math import exp2
from typing import Any, NamedTuple

from confluent_kafka import Message

from pipeline.audit.identity.records import Correction
from pipeline.audit.trusts import NONE, Trusts
from pipeline.contract.decode import Writers, decode
from pipeline.contract.partition import partition_of
from pipeline.contract.reject import Rejected
from pipeline.contract.validate import AHEAD_MS, EARLIEST_MS, check, check_kind
from pipeline.touchpoint import CHANNELS, CORRECTION_KINDS, Touchpoint, case_subject, named_keys, weaker_keys

#: Maximum difference between the clocks of brokers, workers and this machine.
SKEW_MS = 3_600_000
_SENT_ON = "pipeline-forwarded-from"

#: Number of columns that only a touchpoint has.
_UNTOLD = (None,) * 25


class Rules(NamedTuple):
    """The rules that a record is validated by.

    `now_ms` is the moment of the cut. `nobody` are values that name nobody, as in `touchpoint.is_nobody`; `trusts` say
    how far an event is trusted that names several keys.
    """

    writers: Writers
    partitions: int
    now_ms: int
    half_life_ms: int
    churn_half_life_ms: int
    nobody: frozenset[str] = frozenset()
    trusts: Trusts = Trusts()


class Facts(NamedTuple):
    """What a record says: its row, as `sql/schema.sql` has it, and rows of namings; or the correction that it is."""

    row: Sequence[Any] | None
    namings: Sequence[Sequence[Any]] = ()
    correction: Correction | None = None


def facts(message: Message, rules: Rules) -> Facts:
    """Return what one record says.

    `reason` is null for what the contract accepts, `depends` says that the moment of processing decided whether
    occurred_at was too far ahead. Of refused records there are digests of value and key, of accepted ones the rest.
    `weight` is an answer's as of its half-life's beginning, in 2^-32; `half_lives` is the number of them since 1990.
    `churn_weight` and `churn_half_lives` are the same by the churn model's half-life, of any touchpoint.
    """
    partition, offset, appended = message.partition(), message.offset(), message.timestamp()[1]
    value = message.value()
    t = decode(value, rules.writers)
    if isinstance(t, Rejected):
        return Facts(_refused(message, t, False))
    depends = t.occurred_at >= appended + AHEAD_MS - SKEW_MS
    if (wrong := check(t, rules.now_ms + SKEW_MS, rules.nobody)) is not None:
        return Facts(_refused(message, wrong, depends))
    keys = named_keys(t, rules.nobody)
    customer = keys[0]
    home = customer.encode()
    sent_on = home != message.key() or _partition(home, rules.partitions) != partition
    if sent_on and any(name == _SENT_ON for name, _ in message.headers() or ()):
        return Facts(_refused(message, Rejected("misrouted", ""), depends))
    if t.kind in CORRECTION_KINDS and not sent_on:
        return Facts(None, correction=_correction(t, keys))
    row = (
        partition, offset, appended, None, depends, None, None, sent_on, customer, _key(t), t.occurred_at, t.channel,
        t.kind, t.stage, t.outcome, t.wait_ms, t.duration_ms, t.amount_minor, t.currency,
        *_answer(t, rules.half_life_ms), None if t.due_at is None else t.occurred_at - t.due_at, t.begun_by,
        t.sequence or 0, *_said(t), *_weight(t.occurred_at, rules.churn_half_life_ms),
        case_subject(t.subject),
    )  # fmt: skip
    weaker = () if sent_on else weaker_keys(keys)
    trust = rules.trusts.of(t) if weaker else NONE
    if trust == NONE:
        return Facts(row)
    return Facts(
        row, [(partition, offset, key, customer, trust, t.occurred_at, t.source, t.event_id) for key in weaker]
    )


def _correction(t: Touchpoint, keys: tuple[str, ...]) -> Correction:
    merged = t.attributes.get("merged_customer_id")
    other = f"customer:{merged}" if t.kind == "customer_merged" else None
    return Correction(t.kind, t.occurred_at, t.source, t.event_id, keys, keys[0], t.subject, other)


def _refused(message: Message, why: Rejected, depends: bool) -> Sequence[Any]:
    return (
        message.partition(), message.offset(), message.timestamp()[1], why.reason, depends, _digest(message.value()),
        _digest(message.key()), False, *_UNTOLD,
    )  # fmt: skip


def _answer(t: Touchpoint, half_life_ms: int) -> Sequence[Any]:
    if t.feedback is None:
        return None, None, None, None, None, None
    channel, slash, kind = t.attributes.get("about", "").partition("/")
    about = (channel, kind) if slash and channel in CHANNELS and check_kind(kind) is None else (None, None)
    return t.feedback.instrument, t.feedback.score, *about, *_weight(t.occurred_at, half_life_ms)


def _weight(at_ms: int, half_life_ms: int) -> tuple[int, int]:
    half_lives, rest = divmod(at_ms - EARLIEST_MS, half_life_ms)
    return round(exp2(rest / half_life_ms) * (1 << 32)), half_lives


def _said(t: Touchpoint) -> Sequence[Any]:
    """Return digests of the subject and of the words that came with an answer."""
    if t.feedback is None:
        return None, None
    return tuple([_digest(text.replace("\0", "\ufffd")) if text else None for text in (t.subject, t.feedback.verbatim)])


def _key(t: Touchpoint) -> int:
    identity = f"{t.source}\0{t.event_id}\0{t.occurred_at}"
    return int.from_bytes(blake2b(identity.encode(), digest_size=8).digest(), "big")


def _digest(value: bytes | str | None) -> str | None:
    if value is None:
        return None
    return sha256(value if isinstance(value, bytes) else value.encode()).hexdigest()


@lru_cache(50_000)
def _partition(key: bytes, partitions: int) -> int:
    return partition_of(key, partitions)
