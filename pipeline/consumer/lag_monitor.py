"""Shows the lag beside the work: from the first second, and whoever else is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from pipeline.consumer.topic_lag import Reader, TopicLag
from pipeline.errors import Unavailable
from pipeline.observe.health import Health
from pipeline.observe.metrics import Metrics
from pipeline.topics import TOUCHPOINTS, TopicPartition

log = structlog.get_logger(__name__)

#: Seconds between two looks.
_INTERVAL_S = 2.0
#: Seconds that the thread has to end in.
_STOP_S = 12.0

#: Returns the first offset that is not in the ledger, of each topic's partition that the worker has taken.
NextOffsets = Callable[[], Mapping[TopicPartition, int]]


class LagMonitor:
    """Looks at the topics that the worker reads, in a thread of its own, with connections of its own.

    A worker shows the lag of the partitions that it has taken. One that has none, since it has just started, or cannot
    take them, or is not needed, shows all of the topics', by the offsets that the group has committed to Kafka. So a
    partition can be shown by several workers; the greatest number counts. Readiness goes by touchpoints alone.
    """

    def __init__(
        self, reader: Callable[[], Reader], metrics: Metrics, health: Health, topics: Sequence[str] = (TOUCHPOINTS,)
    ) -> None:
        self._make_reader, self._metrics, self._health, self._topics = reader, metrics, health, topics
        self._next_offsets: NextOffsets = dict
        self._processed_at: dict[str, dict[int, float]] = {topic: {} for topic in topics}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lag", daemon=True)
        self._is_away = False

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; waits until the thread has ended, but not for long."""
        self._stop.set()
        self._thread.join(_STOP_S)

    def follow(self, next_offsets: NextOffsets) -> None:
        """From now on, take positions from the worker. `next_offsets` is called in the monitor's thread."""
        self._next_offsets = next_offsets

    def note_processed(self, topic: str, partition: int, appended_ms: int) -> None:
        """Note when the last processed record was appended (epoch milliseconds)."""
        if topic in self._processed_at:
            self._processed_at[topic][partition] = appended_ms / 1000

    def _run(self) -> None:
        reader = self._make_reader()
        lags = self.lags(reader)
        try:
            while not self._stop.is_set():
                try:
                    self.look(lags, time.time())
                except Exception:
                    log.exception("the lag could not be looked at")  # the next look may succeed
                self._stop.wait(_INTERVAL_S)
        finally:
            reader.close()

    def lags(self, reader: Reader) -> Sequence[TopicLag]:
        """Return what looks at each topic."""
        return [TopicLag(topic, reader, self._metrics) for topic in self._topics]

    def look(self, lags: Sequence[TopicLag], now: float) -> None:
        """Look once, at `now` (Unix time); while the broker is away, what waited then grows older."""
        own = self._own()
        try:
            for lag in lags:
                partitions = lag.look(own[lag.topic], self._processed_at[lag.topic], now)
                if lag.topic == TOUCHPOINTS:
                    self._metrics.topic_partitions.set(partitions)
            self._is_away = False
            self._health.answered("broker")
        except Unavailable as error:
            if not self._is_away:
                log.warning("the broker does not answer", why=str(error))
                self._is_away = True
            self._health.failed("broker", str(error), time.monotonic())
            self._metrics.retries.labels("broker").inc()
            for lag in lags:
                lag.grow_older(now)
        self._health.lag_seconds = max(
            [lag.greatest_s(own[lag.topic]) for lag in lags if lag.topic == TOUCHPOINTS], default=0.0
        )

    def _own(self) -> dict[str, dict[int, int]]:
        own: dict[str, dict[int, int]] = {topic: {} for topic in self._topics}
        for (topic, number), offset in self._next_offsets().items():
            own.setdefault(topic, {})[number] = offset
        return own
