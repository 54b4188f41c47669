"""The topic that all jobs of a comparison read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from heapq import heappush, heapreplace
from random import Random
from uuid import UUID

from bench.rig import Rig, put
from bench.scenarios import encoded
from pipeline.cli.progress import progress
from pipeline.errors import PipelineError
from pipeline.touchpoint import Feedback, Touchpoint

CUSTOMERS = 20_000
#: Number of journeys under way at any time; each brings a touchpoint every 2 to 3 minutes.
ACTIVE = 4_000
EVENTS_PER_S = 23
_HOUR = 3_600_000
_LATE, _LATE_MS = 0.02, 20 * 60_000
_FEEDBACK = 0.05
_CHANNELS = {"web": 70, "email": 15, "call_centre": 10, "branch": 5}
_KINDS = {
    "web": (
        "page_viewed", "product_viewed", "search_performed", "cart_added", "checkout_started", "help_viewed",
        "purchase",
    ),
    "email": (
        "email_delivered", "email_opened", "email_clicked", "order_confirmed", "order_shipped", "survey_sent",
        "email_received",
    ),
    "call_centre": (
        "call_queued", "call_answered", "call_transferred", "call_ended", "call_abandoned", "ivr_used",
        "callback_requested",
    ),
    "branch": (
        "visit_started", "counter_served", "sales_advised", "visit_abandoned", "visit_ended", "self_service_used",
        "order_collected",
    ),
}  # fmt: skip
_STAGES = ("before", "during", "after")
_OUTCOMES = ("none", "none", "succeeded", "failed", "abandoned")


def touchpoints(events: int, start_ms: int, seed: int = 7) -> Iterator[Touchpoint]:
    """Touchpoints from `start_ms` on, in time order but for 2 % that come up to 20 minutes late.

    Customers come in bursts: on average six touchpoints one to 300 seconds apart, then another customer begins.
    """
    rng = Random(seed)
    channels, weights = list(_CHANNELS), list(_CHANNELS.values())

    def burst(now: int) -> tuple[int, int, int]:
        customer, left = rng.randrange(CUSTOMERS), 1 + int(rng.expovariate(1 / 6))
        return now + rng.randrange(0, 600_000), customer, left

    under_way: list[tuple[int, int, int]] = []
    for _ in range(ACTIVE):
        heappush(under_way, burst(start_ms))
    for _ in range(events):
        at, customer, left = under_way[0]
        heapreplace(under_way, (at + rng.randrange(1_000, 300_000), customer, left - 1) if left > 1 else burst(at))
        late_ms = lateness(rng)
        channel = rng.choices(channels, weights)[0]
        yield contact(rng, at - late_ms, at, channel)._replace(customer_id=f"c{customer:05d}")


def lateness(rng: Random) -> int:
    """Return by how many milliseconds a touchpoint comes late: none, but for 2 %."""
    return rng.randrange(1, _LATE_MS) if rng.random() < _LATE else 0


def contact(rng: Random, at: int, sent_at: int, channel: str) -> Touchpoint:
    """Return a touchpoint of nobody's on a channel, as its systems send it."""
    feedback = Feedback("csat", float(rng.randrange(1, 6))) if rng.random() < _FEEDBACK else None
    return Touchpoint(
        event_id=str(UUID(int=rng.getrandbits(128))),
        source="web-sdk",
        occurred_at=at,
        sent_at=sent_at,
        channel=channel,
        kind=rng.choice(_KINDS[channel]),
        stage=rng.choice(_STAGES),
        outcome=rng.choice(_OUTCOMES),
        wait_ms=int(rng.random() * 300_000) if channel == "call_centre" else None,
        feedback=feedback,
        attributes={"url": f"/products/{rng.randrange(500)}", "device": "mobile"},
    )


def fill(own: Rig, events: int) -> None:
    """Put `events` touchpoints into the empty topic, the last ones about an hour old."""
    put_all(own, touchpoints(events, start(events)), events)


def start(events: int) -> int:
    """Return when a stream of so many `events` begins, in epoch milliseconds, for it to end about an hour ago."""
    return time.time_ns() // 1_000_000 - events * 1_000 // EVENTS_PER_S - _HOUR


def put_all(own: Rig, made: Iterator[Touchpoint], events: int) -> None:
    """Put touchpoints into the topic; shows how far it is of `events`."""
    producer = own.producer()
    with progress(f"{events:,} touchpoints into the topic", events) as show:
        for number, record in enumerate(encoded(made, own.encoder)):
            put(producer, record)
            if number % 1_000 == 0:
                producer.poll(0)
                show(number)
        if left := producer.flush(60):
            raise PipelineError(f"Kafka has not taken {left:,} records within a minute.")
