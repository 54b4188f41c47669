"""Touchpoints whose values lie at and beyond all bounds, yet fit the schema."""

from __future__ import annotations

from random import Random
from typing import Any

from pipeline.contract.validate import AHEAD_MS, EARLIEST_MS, LATEST_DUE_MS, MAX_SPAN_MS
from pipeline.touchpoint import CHANNELS, INITIATORS, OUTCOMES, STAGES

#: The clock of all runs: inputs and outcomes do not depend on when they are tried.
NOW_MS = 1_780_000_000_000
_LONGS = (0, 1, -1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, -(2**63), 10**18)
_TEXTS = (
    "", " ", "x", "a" * 200, "a" * 201, "\0", "a\0b", "ü" * 200, "😀" * 200, "\U0010ffff", "\ud7ff\ue000", "\uffff",
    "\u202e\u2028\ufeff", "'; DROP TABLE journey; --", '\\u0000"', "{}", "%s %(topic)s $1 :topic", "\x7f\x1b[2J",
    "\\x00", "NULL", "e\u0301", "a/b", "web/page_viewed", "infinity", "\n", "c" * 65_536,
)  # fmt: skip
_KINDS = (
    "page_viewed", "call_ended", "survey_answered", "account_closed", "purchase", "email_delivered", "email_opened",
    "made_up", "a" * 100, "a" * 101, "Page", "a b", "ä", "page_viewed\n", "_a", "0",
)  # fmt: skip
_SCORES = (
    0.0, -0.0, 1.0, 5.0, 10.0, 7.0, -1.0, 0.05, 4.999999999999999, 5.000000000000001, 1e308, -1e308, 5e-324,
    float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
_ABOUT = ("call_centre/call_ended", "web/", "/", "web", "moon/x", "web/a\0b", "web/" + "a" * 101, "", "email/ä")


def record(random: Random) -> dict[str, Any]:
    """A mapping as the Avro schema describes it. Half of its values are ordinary, so that many pass all checks."""
    pick, chance = random.choice, random.random
    t: dict[str, Any] = {
        "event_id": _text(random),
        "source": _text(random),
        "occurred_at": _time(random),
        "sent_at": pick((None, None, *_LONGS)),
        "channel": pick(CHANNELS),
        "kind": pick(_KINDS[:9]) if chance() < 0.9 else pick(_KINDS),
        "stage": pick((None, *STAGES)),
        "customer_id": pick((None, f"c-{random.randrange(200)}", _text(random))),
        "anonymous_id": pick((None, None, f"a-{random.randrange(50)}", _text(random))),
        "identifiers": [{"type": _text(random), "value": _text(random)} for _ in range(pick((0, 0, 0, 1, 2)))],
        "outcome": pick(OUTCOMES),
        "wait_ms": _span(random),
        "duration_ms": _span(random),
        "feedback": None,
        "amount_minor": None,
        "currency": None,
        "subject": pick((None, None, pick(_TEXTS))),
        "attributes": {pick(_TEXTS): pick(_TEXTS) for _ in range(pick((0, 0, 1, 3)))},
        "due_at": pick((None, None, None, _time(random), LATEST_DUE_MS + random.randrange(2))),
        "begun_by": pick((None, None, *INITIATORS)),
        "sequence": pick((None, None, 0, random.randrange(9), -1 if chance() < 0.05 else 1)),
    }
    if chance() < 0.3:
        t["feedback"] = {
            "instrument": pick(("csat", "nps", "ces", "stars", "sentiment")),
            "score": pick(_SCORES[:8]) if chance() < 0.8 else pick(_SCORES),
            "verbatim": pick((None, pick(_TEXTS))),
        }
        if chance() < 0.3:
            t["attributes"]["about"] = pick(_ABOUT)
    if chance() < 0.2:
        t["amount_minor"], t["currency"] = pick(_LONGS), "EUR"
        if chance() < 0.1:
            t[pick(("amount_minor", "currency"))] = pick((None, 0)) if chance() < 0.5 else None
            t["currency"] = pick(("EUR", "eur", "EURO", "", "ÄÖÜ", None))
    if chance() < 0.001:
        t["attributes"] = {f"k{n}": "" for n in range(pick((1_000, 20_000)))}
        t["identifiers"] = [{"type": "", "value": ""}] * pick((0, 20_000))
    # what only the newer schema has
    return t | {"deep": [], "data": random.randbytes(pick((0, 3))), "mark": b"abc", "nothing": None}


def _text(random: Random) -> str:
    return f"t-{random.randrange(500)}" if random.random() < 0.9 else random.choice(_TEXTS)


def _time(random: Random) -> int:
    chance = random.random()
    if chance < 0.7:
        return NOW_MS - random.randrange(40 * 86_400_000)
    if chance < 0.9:
        return random.randrange(EARLIEST_MS, NOW_MS + AHEAD_MS)
    return random.choice((EARLIEST_MS, EARLIEST_MS - 1, NOW_MS + AHEAD_MS - 1, NOW_MS + AHEAD_MS, *_LONGS))


def _span(random: Random) -> int | None:
    chance = random.random()
    if chance < 0.6:
        return None
    return random.randrange(10**6) if chance < 0.9 else random.choice((0, MAX_SPAN_MS, MAX_SPAN_MS + 1, *_LONGS))
