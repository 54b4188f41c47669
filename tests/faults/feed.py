"""What goes in while things break: touchpoints by several keys, late, twice, astray, in several versions; poison."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from itertools import count
from random import Random

from confluent_kafka import KafkaError, Message, Producer

from faults import crowd
from faults.corrections import with_corrections
from faults.poison import poison
from faults.versions import Versions, newer, older, with_field
from pipeline.client.publisher import Publisher
from pipeline.connections.kafka import KafkaConnection
from pipeline.connections.registry import RegistryConnection
from pipeline.contract.encode import Encoder, touchpoint_record
from pipeline.simulate.delivery import delivered
from pipeline.simulate.population import simulated
from pipeline.topics import TOUCHPOINTS
from pipeline.touchpoint import CORRECTION_KINDS, Touchpoint, own_key

_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000
#: The simulated time ends so long ago that every journey is over when the gate ends (the longest cover is three days).
_ENDS_AGO_MS = 10 * _DAY
_DAYS = 30
#: Of the populations that go on once the first one has nothing more to tell.
_MORE = 10_000
#: The last records of all: from a producer whose clock is ahead of the workers' own.
_AHEAD = 20
DELIVERY_MS = 300_000

#: how a touchpoint is sent → share
SHARES = {
    "plain": 0.745, "older_version": 0.1, "newer_version": 0.1, "wrong_key": 0.02, "no_key": 0.005,
    "wrong_key_twice": 0.005, "wrong_partition": 0.005, "poison": 0.01,
}  # fmt: skip
#: The clock of one producer is an hour ahead, of another an hour behind.
CLOCKS_OFF = {"web": _HOUR, "call_centre": -_HOUR}
_PREFIX = {name: f"{name}-off" for name in CLOCKS_OFF}
_SHARE_OFF = 0.05


def stories(seed: int, events: int, now_ms: int) -> Iterator[Touchpoint]:
    """Simulated touchpoints in order of delivery: a population with so many, then others, without end.

    Each channel names the keys that it knows, and corrections of each kind are among them. 5 % come late, by up to
    three days, and 3 % come twice.
    """
    for number in count():
        of, wanted = seed * 1000 + number, _MORE if number else events
        people = simulated(seed=of, events=wanted, days=_DAYS, end_ms=now_ms - _ENDS_AGO_MS, identity=True)
        made = with_corrections((each.touchpoint for each in people), of)
        yield from delivered(made, seed=of, disorder=0.05, late_days=3, duplicates=0.03)


def with_clock_off(touchpoint: Touchpoint, rng: Random) -> Touchpoint:
    """Some touchpoints of a channel come from a producer of their own, whose clock is off."""
    off = CLOCKS_OFF.get(touchpoint.channel)
    if off is None or rng.random() >= _SHARE_OFF:
        return touchpoint
    return touchpoint._replace(source=_PREFIX[touchpoint.channel], occurred_at=touchpoint.occurred_at + off)


class Feed:
    """Sends events at a rate that can be changed, in a thread of its own.

    `accepted` counts what the broker acknowledged, `sent` how records were made. A broker that is away is waited for.
    """

    def __init__(
        self,
        kafka: KafkaConnection,
        registry: RegistryConnection,
        partitions: int,
        seed: int,
        events: int,
        versions: Versions,
    ) -> None:
        self._rng = Random(f"feed {seed}")
        self._partitions, self._versions = partitions, versions
        now_ms = int(time.time() * 1000)
        self._stories = stories(seed, events, now_ms)
        self._crowd = crowd.Crowd(seed, now_ms - _ENDS_AGO_MS)
        #: What comes before the stories go on.
        self._next = deque(self._crowd.signs_in())
        self._older = versions.register(older())
        self._newer, self._field = versions.register(newer("region")), "region"
        self._publisher = Publisher(kafka, registry, delivery_timeout_ms=DELIVERY_MS)
        self._producer = Producer(
            {
                **kafka.client_settings(), "partitioner": "murmur2_random", "enable.idempotence": True,
                "message.max.bytes": 900_000, "delivery.timeout.ms": DELIVERY_MS, "linger.ms": 20,
                "reconnect.backoff.max.ms": 250,
            }
        )  # fmt: skip
        self._acknowledged = 0
        self.refused: list[str] = []
        self.sent: Counter[str] = Counter()
        self.events = 0
        self.rate = 100.0
        self._recent: list[Touchpoint] = []
        self._over = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)

    @property
    def accepted(self) -> int:
        """Records that the broker has acknowledged."""
        return self._publisher.delivered + self._acknowledged

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def send_unseen_version(self, schema: Encoder, field: str) -> None:
        """From now on, the newest producers use this version, with this field."""
        self._newer, self._field = schema, field

    def correct_crowd(self) -> None:
        """Tell of a customer with very many cookies that they are another one, or no longer are."""
        self._next.append(self._crowd.corrected())

    def finish(self, events: int) -> None:
        """Stop once so many events were sent at the least, without a limit on the rate, and wait for the broker.

        Raises what made the feed fail.
        """
        self._over.set()
        self._thread.join()
        while (self.events < events or self._next) and self._failure is None:
            self._one()
        if self._failure is not None:
            raise self._failure
        for touchpoint in self._recent[-_AHEAD:]:
            self._publisher.publish(_ahead_of_everybody(touchpoint))
            self.sent["clock_ahead_of_the_worker"] += 1
        self._publisher.flush()
        self._producer.flush(DELIVERY_MS / 1000)

    def _run(self) -> None:
        due = time.monotonic()
        try:
            while not self._over.is_set():
                while self._next:
                    self._one()
                self._one()
                due = max(due + 1 / self.rate, time.monotonic() - 1)
                if (ahead := due - time.monotonic()) > 0.005:
                    time.sleep(ahead)
        except BaseException as error:
            self._failure = error

    def _one(self) -> None:
        touchpoint = self._next.popleft() if self._next else with_clock_off(next(self._stories), self._rng)
        if touchpoint.source in _PREFIX.values():
            self.sent["clock_off"] += 1
        how = self._rng.choices(tuple(SHARES), tuple(SHARES.values()))[0]
        if touchpoint.source == crowd.SOURCE and touchpoint.kind in CORRECTION_KINDS:
            how = "plain"  # an action waits for what follows from it
        self._send(how, touchpoint)
        self.sent[how] += 1
        self.sent["correction"] += touchpoint.kind in CORRECTION_KINDS
        self.events += 1
        self._recent = [*self._recent[-50:], touchpoint]
        self._producer.poll(0)

    def _send(self, how: str, touchpoint: Touchpoint) -> None:
        key = (own_key(touchpoint) or "").encode()
        if how == "older_version":
            self._raw(key, self._encoded(self._older, touchpoint))
        elif how == "newer_version":
            self._raw(key, self._newer.encode(with_field(touchpoint_record(touchpoint), self._field)))
        elif how == "wrong_key":
            self._raw(self._another_key(), self._encoded(self._versions.current, touchpoint))
        elif how == "no_key":
            self._raw(None, self._encoded(self._versions.current, touchpoint))
        elif how == "wrong_key_twice":
            self._publisher.publish(touchpoint)
            self._raw(self._another_key(), self._encoded(self._versions.current, touchpoint))
        elif how == "wrong_partition":
            value = self._encoded(self._versions.current, touchpoint)
            self._raw(key, value, self._rng.randrange(self._partitions))
        elif how == "poison":
            number = self.sent["poison"]
            self._raw(key, poison(touchpoint, self._versions.current, number, int(time.time() * 1000)))
        else:
            self._publisher.publish(touchpoint)

    def _another_key(self) -> bytes:
        return (own_key(self._rng.choice(self._recent)) or "nobody").encode() if self._recent else b"customer:x"

    def _encoded(self, encoder: Encoder, touchpoint: Touchpoint) -> bytes:
        return encoder.encode(touchpoint_record(touchpoint))

    def _raw(self, key: bytes | None, value: bytes | None, partition: int = -1) -> None:
        while True:
            try:
                self._producer.produce(TOUCHPOINTS, value, key, partition, on_delivery=self._on_delivery)
                return
            except BufferError:
                self._producer.poll(0.1)

    def _on_delivery(self, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self._acknowledged += 1
        else:
            self.refused.append(error.str())


def _ahead_of_everybody(touchpoint: Touchpoint) -> Touchpoint:
    """The same an hour after the wall clock, from a source of its own."""
    at = time.time_ns() // 1_000_000 + _HOUR
    return touchpoint._replace(source="clock-ahead-of-the-worker", occurred_at=at)
