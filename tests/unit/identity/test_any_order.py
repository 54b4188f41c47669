"""Any order and batching of the same events gives what one plain computation over all of them gives."""

from __future__ import annotations

from random import Random
from typing import Any

from batch import Batch
from hypothesis import given, settings
from hypothesis import strategies as st
from network import Event, Network

from pipeline.identity.policy import IdentityPolicy

T0 = 1_690_000_000_000
MINUTE = 60_000
CUSTOMERS = [f"customer:{n}" for n in range(4)]
WEAKER = ["loyalty:card", "email:a", "email:b", "phone:1", "member:7", "device:tablet", "anonymous:x", "anonymous:y"]
KINDS = ["page_viewed", "email_opened", "purchase", "account_closed", "survey_answered"]
RETRACTED, ENDED, MERGED, SPLIT = "identity_retracted", "identity_ended", "customer_merged", "customer_split"

#: Close together, an hour or a day apart, and beyond what a cookie is held for.
times = st.one_of(
    st.integers(0, 40), st.integers(0, 200).map(lambda n: n * 20), st.integers(0, 300).map(lambda n: n * 24 * 60)
).map(lambda minutes: T0 + minutes * MINUTE)


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Events of few people, so that they meet: the same event by several keys, corrections of what there is."""
    keys = draw(st.lists(st.sampled_from([*CUSTOMERS, *WEAKER]), min_size=2, max_size=7, unique=True))
    customers = [key for key in keys if key.startswith("customer:")] or CUSTOMERS[:2]
    moments = draw(st.lists(times, min_size=1, max_size=14))
    events: list[Event] = []
    for number in draw(st.lists(st.integers(0, len(moments) - 1), min_size=1, max_size=25)):
        some = draw(st.lists(st.sampled_from(keys), min_size=1, max_size=3, unique=True))
        trust = draw(st.sampled_from(["verified", "verified", "declared", "none"]))
        kind, score = draw(st.sampled_from(KINDS)), draw(st.sampled_from([None, 0.0, 25.0, 100.0]))
        events.append(Event(f"e{number}", moments[number], tuple(some), kind, trust, "web", score=score))
    for number in range(draw(st.integers(0, 8))):
        kind = draw(st.sampled_from([RETRACTED, RETRACTED, ENDED, MERGED, MERGED, SPLIT]))
        subject = draw(st.sampled_from([*[event.event_id for event in events]]))
        if kind == ENDED or (kind == RETRACTED and draw(st.booleans())):
            subject = None
        named = (
            [draw(st.sampled_from(customers))]
            if kind in (MERGED, SPLIT)
            else draw(st.lists(st.sampled_from(keys), min_size=1, max_size=3, unique=True))
        )
        other = draw(st.sampled_from(customers)) if kind == MERGED else None
        events.append(Event(f"c{number}", draw(times), tuple(named), kind, "verified", "web", subject, other))
    return events


POLICY = IdentityPolicy()


def one_content(events: list[Event]) -> list[Event]:
    """Leave out what says something else under the same key at the same time; of those, the first to arrive counts."""
    first: dict[Any, Event] = {}
    for event in events:
        first.setdefault((event.source, event.event_id, event.at, event.own), event)
    return list(first.values())


@settings(max_examples=300, deadline=None)
@given(histories(), st.integers(0, 2**32))
def test_any_order_and_batching(events: list[Event], seed: int) -> None:
    events = one_content(events)
    rng = Random(seed)
    network = Network(rng, POLICY)
    again = [event for event in events if rng.random() < 0.2]
    arriving = [*events, *again]
    rng.shuffle(arriving)
    cut = rng.randrange(len(arriving) + 1)
    network.process(arriving[:cut])
    if rng.random() < 0.5:
        network.restart()
    network.process(arriving[cut:])
    expected = Batch(events, POLICY)
    assert network.journeys() == expected.journeys()
    assert network.scores() == expected.scores()
