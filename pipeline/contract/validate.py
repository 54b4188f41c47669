"""Validation: the rules for touchpoints beyond their schema, the same for producers and for the worker."""

from __future__ import annotations

import math
import re
from collections.abc import Set

from pipeline.contract.identifiers import check_identifiers
from pipeline.contract.reject import Rejected
from pipeline.scales import SCALES
from pipeline.touchpoint import (
    CHANNELS,
    CORRECTION_KINDS,
    CUSTOMER,
    CUSTOMER_MERGED,
    CUSTOMER_SPLIT,
    INITIATORS,
    MAX_TEXT,
    MERGED_CUSTOMER,
    OUTCOMES,
    STAGES,
    Feedback,
    Touchpoint,
    is_nobody,
    own_key,
)

#: 1990-01-01T00:00:00Z. An earlier time comes from a clock that was never set, or from seconds instead of milliseconds.
EARLIEST_MS = 631_152_000_000
#: How far an event may be ahead of the clock, exclusive.
AHEAD_MS = 86_400_000
MAX_KIND = 100
#: Longest wait or duration: ten years. A longer one is a mistake of units.
MAX_SPAN_MS = 10 * 366 * 86_400_000
#: 2100-01-01T00:00:00Z: nothing is promised for later.
LATEST_DUE_MS = 4_102_444_800_000

_KIND = re.compile(rf"[a-z][a-z0-9_]{{0,{MAX_KIND - 1}}}")
_CURRENCY = re.compile(r"[A-Z]{3}")


def check(touchpoint: Touchpoint, now_ms: int, nobody: Set[str] = frozenset()) -> Rejected | None:
    """Return the first thing wrong with a touchpoint, or None.

    `now_ms` is the clock, in epoch milliseconds. `nobody` are the policy's values that name nobody.
    """
    t = touchpoint
    if (wrong := check_time(t.occurred_at, now_ms)) is not None:
        return wrong
    if t.feedback is not None and (wrong := check_feedback(t.feedback)) is not None:
        return wrong
    if (wrong := check_spans(t.wait_ms, t.duration_ms)) is not None:
        return wrong
    if (t.amount_minor is not None or t.currency is not None) and (
        wrong := check_amount(t.amount_minor, t.currency)
    ) is not None:
        return wrong
    if (wrong := check_due(t.due_at) or check_sequence(t.sequence)) is not None:
        return wrong
    wrong = check_words(t) or check_keys(t, nobody)
    return check_correction(t, nobody) if wrong is None and t.kind in CORRECTION_KINDS else wrong


def check_words(t: Touchpoint) -> Rejected | None:
    """Return the first thing wrong with a touchpoint's texts and enumerations, or None."""
    for field, text in (("event_id", t.event_id), ("source", t.source)):
        if (wrong := check_text(field, text)) is not None:
            return wrong
    if t.channel not in CHANNELS:
        return Rejected("invalid_value", f"channel is none of {', '.join(CHANNELS)}")
    if t.outcome not in OUTCOMES:
        return Rejected("invalid_value", f"outcome is none of {', '.join(OUTCOMES)}")
    if t.stage is not None and t.stage not in STAGES:
        return Rejected("invalid_value", f"stage is none of {', '.join(STAGES)}")
    if t.begun_by is not None and t.begun_by not in INITIATORS:
        return Rejected("invalid_value", f"begun_by is none of {', '.join(INITIATORS)}")
    return check_kind(t.kind) or check_identifiers(t.identifiers)


def check_keys(t: Touchpoint, nobody: Set[str]) -> Rejected | None:
    """Return a rejection if nobody is named, or by an own key that cannot be stored."""
    key = own_key(t, nobody)
    if key is not None:
        return check_text("the customer's key", key)
    is_empty = not (t.customer_id or t.identifiers or t.anonymous_id)
    nothing_else = "hold only what names nobody, as null, guest, zeros or a value that the policy names do"
    why = "are all empty" if is_empty else nothing_else
    return Rejected("no_customer", f"customer_id, identifiers and anonymous_id {why}")


def check_correction(t: Touchpoint, nobody: Set[str]) -> Rejected | None:
    """Return a rejection if a correction does not say what it corrects."""
    if t.kind == CUSTOMER_MERGED:
        for place, value in (
            ("customer_id", t.customer_id),
            (f"attributes.{MERGED_CUSTOMER}", t.attributes.get(MERGED_CUSTOMER)),
        ):
            key = f"{CUSTOMER}:{value or ''}"
            if is_nobody(key, nobody):
                return Rejected("invalid_correction", f"{t.kind} needs {place} that names somebody")
            if (wrong := check_text(place, key)) is not None:
                return Rejected("invalid_correction", f"{t.kind}: {wrong.detail}")
    if t.subject is None:
        return Rejected("invalid_correction", f"{t.kind} needs the subject") if t.kind == CUSTOMER_SPLIT else None
    wrong = check_text("subject", t.subject)
    return None if wrong is None else Rejected("invalid_correction", f"{t.kind}: {wrong.detail}")


def check_time(occurred_at: int, now_ms: int) -> Rejected | None:
    """Return what is wrong with the time, or None."""
    if occurred_at < EARLIEST_MS:
        return Rejected("time_out_of_range", f"occurred_at is {occurred_at} ms, before 1990; are these seconds?")
    if occurred_at >= now_ms + AHEAD_MS:
        ahead = (occurred_at - now_ms) / 3_600_000
        return Rejected("time_out_of_range", f"occurred_at lies {ahead:,.1f} hours ahead of the clock")
    return None


def check_feedback(feedback: Feedback) -> Rejected | None:
    """Return a rejection if an answer is not on its instrument's scale."""
    scale = SCALES.get(feedback.instrument)
    if scale is None:
        return Rejected("invalid_feedback", f"feedback.instrument is none of {', '.join(SCALES)}")
    if math.isnan(feedback.score) or not scale.worst <= feedback.score <= scale.best:
        return Rejected(
            "invalid_feedback",
            f"feedback.score {feedback.score} is not on {feedback.instrument}'s scale, {scale.worst} to {scale.best}",
        )
    return None


def check_spans(wait_ms: int | None, duration_ms: int | None) -> Rejected | None:
    """Return a rejection if a wait or duration is impossible."""
    for field, span in (("wait_ms", wait_ms), ("duration_ms", duration_ms)):
        if span is not None and not 0 <= span <= MAX_SPAN_MS:
            return Rejected("invalid_value", f"{field} is {span}; it takes 0 to ten years of milliseconds")
    return None


def check_due(due_at: int | None) -> Rejected | None:
    """Return a rejection if nothing can have been promised for that time."""
    if due_at is None or EARLIEST_MS <= due_at <= LATEST_DUE_MS:
        return None
    return Rejected("invalid_value", f"due_at is {due_at} ms; it takes 1990 to 2100, in milliseconds")


def check_sequence(sequence: int | None) -> Rejected | None:
    """Return a rejection if a place among events of the same moment is negative."""
    if sequence is None or sequence >= 0:
        return None
    return Rejected("invalid_value", f"sequence is {sequence}; it takes 0 or more")


def check_amount(amount_minor: int | None, currency: str | None) -> Rejected | None:
    """Return a rejection if an amount has no currency, or a currency no amount; any 64-bit integer is an amount."""
    if amount_minor is None:
        return Rejected("invalid_value", "currency is given without amount_minor")
    if currency is None or not _CURRENCY.fullmatch(currency):
        return Rejected("invalid_value", "amount_minor needs a currency of three capitals (ISO 4217)")
    return None


def check_kind(kind: str) -> Rejected | None:
    """Return a rejection if a kind is not in snake_case."""
    if "\0" in kind:
        return Rejected("invalid_text", "kind holds a NUL character")
    if not _KIND.fullmatch(kind):
        return Rejected("invalid_text", f"kind is not snake_case of 1 to {MAX_KIND} characters (a-z, 0-9, _)")
    return None


def check_text(field: str, text: str) -> Rejected | None:
    """Return a rejection if a text is empty, too long, or holds a NUL, which Postgres cannot store."""
    if not text:
        return Rejected("invalid_text", f"{field} is empty")
    if len(text) > MAX_TEXT:
        return Rejected("invalid_text", f"{field} has {len(text)} characters; it takes up to {MAX_TEXT}")
    if "\0" in text:
        return Rejected("invalid_text", f"{field} holds a NUL character")
    return None
