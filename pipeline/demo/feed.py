"""What the demonstration publishes: some weeks of four channels, and three records that must be refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.client.publisher import Publisher
from pipeline.client.replayer import Replay, Replayer
from pipeline.contract.encode import touchpoint_record
from pipeline.contract.registry import touchpoint_encoder
from pipeline.contract.text import to_json_line
from pipeline.errors import Unavailable
from pipeline.settings import Settings
from pipeline.simulate.delivery import delivered
from pipeline.simulate.population import simulated
from pipeline.touchpoint import Feedback, Touchpoint, own_key

#: Shares of touchpoints that arrive up to three days late, and of those that arrive twice.
LATE, TWICE = 0.05, 0.02
_LATE_DAYS = 3.0
_SHOW_EVERY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The size of the simulation."""

    events: int
    customers: int
    days: float
    seed: int


def publish(settings: Settings, size: Size, show: Callable[[int], None]) -> int:
    """Publish the simulated events, some late and some twice; return the number of records.

    Each channel names customers by its own keys only; corrections of who is who are among them.
    """
    now_ms = time.time_ns() // 1_000_000
    made = simulated(
        seed=size.seed, customers=size.customers, events=size.events, days=size.days, end_ms=now_ms, identity=True
    )
    sent = delivered(
        (each.touchpoint for each in made), seed=size.seed, disorder=LATE, late_days=_LATE_DAYS, duplicates=TWICE
    )
    count = 0
    with Publisher(settings.kafka, settings.registry) as publisher:
        for count, touchpoint in enumerate(sent, 1):
            publisher.publish(touchpoint)
            if count % _SHOW_EVERY == 0:
                show(count)
    return count


def publish_bad(settings: Settings, seed: int) -> int:
    """Publish three records that must be refused; return their number. Raises Unavailable if they are not delivered.

    One is JSON instead of Avro, one has a score outside its scale, one has seconds instead of milliseconds.
    """
    now_ms = time.time_ns() // 1_000_000
    encoder = touchpoint_encoder(settings.registry)
    good = Touchpoint(
        f"demo-{now_ms}", "careless-system", now_ms, channel="chat", kind="chat_ended", customer_id=f"{seed}-000001"
    )
    values = (
        to_json_line(good),
        encoder.encode(touchpoint_record(good._replace(feedback=Feedback("csat", 9.0)))),
        encoder.encode(touchpoint_record(good._replace(occurred_at=now_ms // 1000))),
    )
    key = (own_key(good) or "").encode()
    records = [Replay(f"demo {number}", key, value, [], None) for number, value in enumerate(values)]
    said = Replayer(settings.kafka).deliver(records)
    if why := next(filter(None, said.values()), None):
        raise Unavailable(f"Kafka at {settings.kafka} does not take records: {why}.")
    return len(values)
