"""Lag: how far a worker is behind the end of its partitions."""

from __future__ import annotations

import time
from collections.abc import Mapping

from pipeline.consumer.transport import Progress
from pipeline.observe.health import Health
from pipeline.observe.metrics import Metrics


class LagMonitor:
    """Keeps the partitions' ends as the broker last told them, and shows the lag in metrics and health."""

    def __init__(self, metrics: Metrics, health: Health) -> None:
        self._metrics, self._health = metrics, health
        self._ends: dict[int, int] = {}
        self._appended_ms: dict[int, int] = {}
        self._caught_up_at: dict[int, float] = {}
        self._began_at = time.time()

    def caught_up(self, partition: int, next_offset: int) -> bool:
        """Return whether the topic had no more records of a partition when the broker was last asked."""
        end = self._ends.get(partition)
        return end is not None and next_offset >= end

    def note_processed(self, partition: int, appended_ms: int) -> None:
        """Note when the last processed record was appended (epoch milliseconds)."""
        self._appended_ms[partition] = appended_ms

    def note_broker_away(self) -> None:
        """Forget the ends: what the broker said before no longer counts."""
        self._health.away.add("broker")
        self._metrics.retries.labels("broker").inc()
        self._ends.clear()

    def update(
        self, ends: Mapping[int, int], progress: Mapping[int, Progress], next_offsets: Mapping[int, int]
    ) -> None:
        """Take the partitions' ends and how far they are read, and show how far the next offsets are behind.

        The end is that of the log: what an open transaction of a producer holds back is not processed yet, either.
        """
        self._health.away.discard("broker")
        self._ends = dict(ends)
        now = time.time()
        worst = 0.0
        for number, next_offset in next_offsets.items():
            read = progress.get(number)
            held_back = 0 if read is None else read.held_back
            if read is not None and read.delivered == next_offset and read.read >= self._ends.get(number, 0):
                self._ends[number] = next_offset  # what follows are no records
            if held_back:
                self._ends[number] = max(self._ends.get(number, 0), next_offset) + held_back
            self._metrics.held_back.labels(str(number)).set(held_back)
            behind = max(0, self._ends.get(number, 0) - next_offset)
            if not behind:
                self._caught_up_at[number] = now
            seconds = max(0.0, now - self._waiting_since(number)) if behind else 0.0
            worst = max(worst, seconds)
            self._metrics.lag_records.labels(str(number)).set(behind)
            self._metrics.lag_seconds.labels(str(number)).set(seconds)
        self._health.lag_seconds = worst

    def _waiting_since(self, partition: int) -> float:
        """Return the earliest time at which the oldest waiting record can have been appended (seconds of Unix time).

        It came after the last processed one, and after the last moment when none was waiting.
        """
        processed_s = self._appended_ms.get(partition, 0) / 1000
        return max(processed_s, self._caught_up_at.get(partition, 0.0)) or self._began_at
