"""Health as metrics, looked at when Prometheus asks: they are right also while the event loop hangs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pipeline.observe.health import DEPENDENCIES, Health


class HealthMetrics(Collector):
    """The gauges of a worker's health."""

    def __init__(
        self, health: Health, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._health, self._clock = health, clock
        registry.register(self)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Yield what Prometheus reads."""
        now, health = self._clock(), self._health
        yield GaugeMetricFamily("pipeline_ready", "1 while /readyz says ready", float(health.ready(now)[0]))
        yield GaugeMetricFamily(
            "pipeline_loop_silent_seconds",
            "Seconds since the event loop last ran; it runs every second",
            health.silent_seconds(now),
        )
        away = GaugeMetricFamily(
            "pipeline_away_seconds",
            "For how long a server has not answered, or topics have not taken results; 0 while they do",
            labels=["server"],
        )
        for dependency in DEPENDENCIES:
            away.add_metric([dependency], health.away_seconds(dependency, now))
        yield away
