"""Counts what partitions told each other, by a worker's metrics."""

from __future__ import annotations

import re

from bench.quantiles import Histogram

EXCHANGE_LATENCY = "pipeline_exchange_latency_seconds"
_COUNTERS = {
    "namings": "pipeline_namings_total",
    "transferred": "pipeline_transferred_touchpoints_total",
    "withdrawn": "pipeline_withdrawn_touchpoints_total",
    "direct": "pipeline_direct_messages_total",
}


def exchanged(exposed: str) -> dict[str, int]:
    """Return how many namings, touchpoints given to holders and taken back, direct messages, and records of the topic.

    `exposed` is what a worker tells Prometheus.
    """
    counts = {name: _total(metric, exposed) for name, metric in _COUNTERS.items()}
    return {**counts, "exchanged": round(Histogram.read(EXCHANGE_LATENCY, exposed).count)}


def _total(metric: str, exposed: str) -> int:
    return sum(int(float(value)) for value in re.findall(rf"^{metric}(?:\{{.*\}})? (\S+)$", exposed, re.MULTILINE))
