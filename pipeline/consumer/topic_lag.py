"""The lag of one topic: looked at, kept while the broker is away, and shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

from pipeline.consumer.lag import Lag, LagEstimator, PartitionEnd
from pipeline.observe.metrics import Metrics


class Reader(Protocol):
    """Answers questions about topics; `topic_reader.TopicReader` is the real one."""

    def ends(self, topic: str) -> dict[int, PartitionEnd]:
        """Return where each partition ends."""

    def committed(self, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        """Return the group's committed offsets."""

    def first_appended(self, topic: str, partition: int, offset: int, read_uncommitted: bool) -> float | None:
        """Return when the first record from an offset on was appended."""

    def close(self) -> None:
        """Let go of the connections."""


class TopicLag:
    """What is known of the lag of a topic's partitions."""

    def __init__(self, topic: str, reader: Reader, metrics: Metrics) -> None:
        self.topic = topic
        self._reader, self._metrics = reader, metrics
        self._estimator = LagEstimator(partial(reader.first_appended, topic))
        self._shown: dict[int, tuple[Lag, float]] = {}

    def look(self, own: Mapping[int, int], processed_at: Mapping[int, float], now: float) -> int:
        """Show the lag at `now` (Unix time); return the number of partitions. Raises Unavailable.

        `own` are the positions of the partitions that the worker has taken; without any, the group's committed offsets
        count. `processed_at` is when the last processed record of each partition was appended.
        """
        ends = self._reader.ends(self.topic)
        positions = own or self._reader.committed(self.topic, sorted(ends))
        lags = {
            number: self._estimator.estimate(number, ends[number], offset, processed_at.get(number, 0.0), now)
            for number, offset in positions.items()
            if number in ends
        }
        self._show(lags, positions, now)
        return len(ends)

    def grow_older(self, now: float) -> None:
        """Show what waited when the broker answered last; it waits still."""
        lags = {
            number: lag._replace(seconds=lag.seconds + now - at) if lag.records else lag
            for number, (lag, at) in self._shown.items()
        }
        self._show(lags, {}, now)

    def greatest_s(self, partitions: Mapping[int, int]) -> float:
        """Return the age of the oldest record that waits in partitions, in seconds."""
        return max([self._shown[number][0].seconds for number in partitions.keys() & self._shown.keys()], default=0.0)

    def _show(self, lags: Mapping[int, Lag], positions: Mapping[int, int], now: float) -> None:
        for number in self._shown.keys() - lags.keys():
            self._metrics.forget_lag(self.topic, number)
            self._estimator.forget(number)
        for number, lag in lags.items():
            self._metrics.set_lag(self.topic, number, lag.records, lag.seconds, lag.held_back, positions.get(number))
        self._shown = {number: (lag, now) for number, lag in lags.items()}
