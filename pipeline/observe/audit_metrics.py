"""The metrics of audits that run at intervals."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class AuditMetrics:
    """All metrics of `pipeline audit --every`, in a registry of their own."""

    def __init__(self, interval_s: float) -> None:
        self.registry = r = CollectorRegistry()
        self.differences = Gauge(
            "pipeline_audit_differences", "Differences between the topic and the tables, by the last audit", registry=r
        )
        self.records = Gauge("pipeline_audit_records", "Records that the last audit compared", registry=r)
        self.duration = Gauge("pipeline_audit_duration_seconds", "Time that the last audit took", registry=r)
        self.last_success = Gauge(
            "pipeline_audit_last_success_seconds", "When the last audit ended, Unix time; before it, the start",
            registry=r,
        )  # fmt: skip
        self.interval = Gauge("pipeline_audit_interval_seconds", "Time from one audit to the next", registry=r)
        self.failures = Counter("pipeline_audit_failures", "Audits that could not be made", registry=r)
        self.interval.set(interval_s)
