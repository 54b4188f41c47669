"""Shows the lag beside the work: from the first second, and whoever else is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

from pipeline.consumer.lag import Lag, LagEstimator, PartitionEnd
from pipeline.errors import Unavailable
from pipeline.observe.health import Health
from pipeline.observe.metrics import Metrics

log = structlog.get_logger(__name__)

#: Seconds between two looks.
_INTERVAL_S = 2.0
#: Seconds that the thread has to end in.
_STOP_S = 12.0

#: Returns the first offset that is not in the ledger, of each partition that the worker has taken.
NextOffsets = Callable[[], Mapping[int, int]]


class Reader(Protocol):
    """Answers the monitor's questions about the topic; `topic_reader.TopicReader` is the real one."""

    def ends(self) -> dict[int, PartitionEnd]:
        """Return where each partition ends."""

    def committed(self, partitions: list[int]) -> dict[int, int]:
        """Return the group's committed offsets."""

    def first_appended(self, partition: int, offset: int) -> float | None:
        """Return when the first record from an offset on was appended."""

    def close(self) -> None:
        """Let go of the connections."""


class LagMonitor:
    """Looks at the topic in a thread of its own, with connections of its own.

    A worker shows the lag of the partitions that it has taken. One that has none, since it has just started, or cannot
    take them, or is not needed, shows all of the topic's, by the offsets that the group has committed to Kafka. So a
    partition can be shown by several workers; the greatest number counts.
    """

    def __init__(self, reader: Callable[[], Reader], metrics: Metrics, health: Health) -> None:
        self._make_reader, self._metrics, self._health = reader, metrics, health
        self._next_offsets: NextOffsets = dict
        self._processed_at: dict[int, float] = {}
        self._shown: dict[int, tuple[Lag, float]] = {}
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

    def note_processed(self, partition: int, appended_ms: int) -> None:
        """Note when the last processed record was appended (epoch milliseconds)."""
        self._processed_at[partition] = appended_ms / 1000

    def _run(self) -> None:
        reader = self._make_reader()
        estimator = LagEstimator(reader.first_appended)
        try:
            while not self._stop.is_set():
                try:
                    self.look(reader, estimator, time.time())
                except Exception:
                    log.exception("the lag could not be looked at")  # the next look may succeed
                self._stop.wait(_INTERVAL_S)
        finally:
            reader.close()

    def look(self, reader: Reader, estimator: LagEstimator, now: float) -> None:
        """Look once, at `now` (Unix time); while the broker is away, what waited then grows older."""
        try:
            ends = reader.ends()
            own = dict(self._next_offsets())
            positions = own or reader.committed(sorted(ends))
            lags = {
                number: estimator.estimate(number, ends[number], offset, self._processed_at.get(number, 0.0), now)
                for number, offset in positions.items()
                if number in ends
            }
        except Unavailable as error:
            if not self._is_away:
                log.warning("the broker does not answer", why=str(error))
                self._is_away = True
            self._health.failed("broker", str(error), time.monotonic())
            self._metrics.retries.labels("broker").inc()
            lags = {
                number: lag._replace(seconds=lag.seconds + now - at) if lag.records else lag
                for number, (lag, at) in self._shown.items()
            }
            self._show(lags, {}, dict(self._next_offsets()), estimator, now)
            return
        self._is_away = False
        self._health.answered("broker")
        self._metrics.topic_partitions.set(len(ends))
        self._show(lags, positions, own, estimator, now)

    def _show(
        self,
        lags: Mapping[int, Lag],
        positions: Mapping[int, int],
        own: Mapping[int, int],
        estimator: LagEstimator,
        now: float,
    ) -> None:
        for number in self._shown.keys() - lags.keys():
            self._metrics.forget_lag(number)
            estimator.forget(number)
        for number, lag in lags.items():
            label = str(number)
            self._metrics.lag_records.labels(label).set(lag.records)
            self._metrics.lag_seconds.labels(label).set(lag.seconds)
            self._metrics.held_back.labels(label).set(lag.held_back)
            if number in positions:
                self._metrics.next_offset.labels(label).set(positions[number])
        self._shown = {number: (lag, now) for number, lag in lags.items()}
        self._health.lag_seconds = max([lags[number].seconds for number in own.keys() & lags.keys()], default=0.0)
