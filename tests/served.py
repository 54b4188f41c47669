"""The metrics that the project's processes serve."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric

from pipeline.observe.audit_metrics import AuditMetrics
from pipeline.observe.health import Health
from pipeline.observe.health_metrics import HealthMetrics
from pipeline.observe.metrics import Metrics


def served_families() -> Iterator[Metric]:
    """Yield every family that a worker, or an audit that runs at intervals, serves or may serve."""
    metrics = Metrics()
    HealthMetrics(Health(), metrics.registry)
    yield from metrics.registry.collect()
    yield from AuditMetrics(3600).registry.collect()
