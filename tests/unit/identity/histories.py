"""Made-up histories of few people, so that they meet: the same event by several keys, corrections of what there is."""

from __future__ import annotations

from hashlib import sha256
from random import Random

from network import Event

T0 = 1_690_000_000_000
_MINUTE = 60_000
_CUSTOMERS = [f"customer:{n}" for n in range(1, 5)]
_WEAKER = [
    "loyalty:card", f"email:{sha256(b'a').hexdigest()}", f"email:{sha256(b'b').hexdigest()}",
    f"phone:{sha256(b'1').hexdigest()}", "member:7", "device:tablet", "anonymous:x", "anonymous:y",
]  # fmt: skip
_KINDS = ("page_viewed", "email_opened", "purchase", "account_closed", "survey_answered")
_CORRECTIONS = (
    "identity_retracted", "identity_retracted", "identity_ended", "customer_merged", "customer_merged",
    "customer_split",
)  # fmt: skip
#: Verified twice as often as the others. It is the source as well, so that a policy can go by it.
_TRUSTS = ("verified", "verified", "declared", "none")


def history(rng: Random, size: int) -> list[Event]:
    """Return up to `size` touchpoints, and up to eight corrections; each source, event_id and own key once."""
    keys = rng.sample([*_CUSTOMERS, *_WEAKER], rng.randint(2, 7))
    customers = [key for key in keys if key.startswith("customer")] or _CUSTOMERS[:2]
    moments = [_time(rng) for _ in range(rng.randint(1, max(1, size // 2)))]
    events: list[Event] = []
    for _ in range(rng.randint(1, size)):
        number, trust = rng.randrange(len(moments)), rng.choice(_TRUSTS)
        some = rng.sample(keys, min(len(keys), rng.randint(1, 3)))
        score = rng.choice([None, 0.0, 25.0, 100.0])
        place = len(events) + number  # what it says besides is none of `rng`'s, so that histories stay what they were
        said = {"score": score, "sequence": place % 3, "begun_by": "company" if place % 4 == 0 else None}
        events.append(Event(f"e{number}", moments[number], tuple(some), rng.choice(_KINDS), trust, trust, **said))
    touchpoints = list(events)
    for number in range(rng.randint(0, min(8, size))):
        kind, corrected = rng.choice(_CORRECTIONS), rng.choice(events if rng.random() < 0.5 else touchpoints)
        has_subject = kind == "customer_split" or (kind == "identity_retracted" and rng.random() < 0.5)
        named = rng.sample(keys, min(len(keys), rng.randint(1, 3)))
        if kind in ("customer_merged", "customer_split"):
            named = [rng.choice(customers)]
        other = rng.choice(customers) if kind == "customer_merged" else None
        subject = corrected.event_id if has_subject else None
        events.append(Event(f"c{number}", _time(rng), tuple(named), kind, "none", corrected.source, subject, other))
    first: dict[object, Event] = {}
    for event in events:
        first.setdefault((event.source, event.event_id, event.at, event.own), event)
    return list(first.values())


def long_history(rng: Random, size: int) -> list[Event]:
    """Return long journeys of one cookie, which customers claim somewhere, and up to two corrections.

    Some touchpoints cover hours, so that others further apart belong to their journey.
    """
    at, events = T0, []
    for number in range(size):
        kind = rng.choice(("page_viewed", "survey_sent", "survey_sent", "lasting"))
        events.append(Event(f"e{number}", at, ("anonymous:x",), kind))
        at += _MINUTE * rng.choice([0, 1, 5, 20, 20, 25, 25, 100])
    claims = [
        Event(f"n{number}", rng.randint(T0, at + _MINUTE), (rng.choice(_CUSTOMERS[:2]), "anonymous:x"))
        for number in range(rng.randint(1, 2))
    ]
    corrections = [
        Event("c1", at + 1, (_CUSTOMERS[0],), "identity_retracted", subject=claims[0].event_id),
        Event("c2", at + 2, (_CUSTOMERS[0],), "customer_merged", other=_CUSTOMERS[1]),
        Event("c3", at + 3, (_CUSTOMERS[0],), "customer_split", subject="c2"),
    ]
    return [*events, *claims, *rng.sample(corrections, rng.randint(0, 2))]


def _time(rng: Random) -> int:
    """Return a time close to others, an hour or a day apart, or beyond what a cookie is held for."""
    return T0 + _MINUTE * rng.choice([rng.randint(0, 40), 20 * rng.randint(0, 200), 1_440 * rng.randint(0, 300)])
