"""One worker checks the churn model, and shows what it finds."""

from __future__ import annotations

import asyncio
from typing import Any

from structlog.testing import capture_logs

from pipeline.observe.metrics import Metrics
from pipeline.processing.model_monitor import Checked, ModelMonitor

HOLDS: dict[str, Any] = {
    "version": "own",
    "validation": {"brier": {"value": 0.16}, "intercept": {"value": 0.1}, "slope": {"value": 0.9}},
    "brier_limit": 0.2,
    "drift": {"repeat visits": 0.02},
    "findings": [],
}


def look(*checked: Checked, partitions: tuple[int, ...] = (0, 3)) -> tuple[Metrics, list[float], list[Any]]:
    """Let a worker with these partitions look once for each check; its metrics, how long it waits, and its log."""
    metrics, left = Metrics(), list(checked)

    async def check() -> Checked:
        return left.pop(0)

    async def main() -> list[float]:
        monitor = ModelMonitor(
            check=check, assigned=dict.fromkeys(partitions), metrics=metrics, interval_s=3600.0, first_s=60.0
        )
        return [await monitor.look() for _ in checked]

    with capture_logs() as logs:
        waits = asyncio.run(main())
    return metrics, waits, logs


def test_what_a_check_finds_is_shown() -> None:
    metrics, waits, logs = look(Checked(HOLDS))
    sample = metrics.registry.get_sample_value
    assert sample("pipeline_model_brier", {"model": "own"}) == 0.16
    assert sample("pipeline_model_brier_limit", {"model": "own"}) == 0.2
    assert sample("pipeline_model_calibration_slope", {"model": "own"}) == 0.9
    assert sample("pipeline_model_drift", {"input": "repeat visits"}) == 0.02
    assert (sample("pipeline_model_checked_timestamp_seconds") or 0) > 0
    assert (waits, logs) == ([3600.0], [])


def test_what_does_not_hold_is_in_the_log() -> None:
    _, _, logs = look(Checked({**HOLDS, "findings": ["It foretells worse."], "drift": None}))
    assert [each["event"] for each in logs] == ["the churn model does not hold"]


def test_figures_of_a_model_that_can_not_be_checked_any_more_are_gone() -> None:
    metrics, _, logs = look(Checked(HOLDS), Checked(None, "The tables hold no visits yet."))
    assert metrics.registry.get_sample_value("pipeline_model_brier", {"model": "own"}) is None
    assert [each["why"] for each in logs] == ["The tables hold no visits yet."]


def test_a_worker_without_the_first_partition_leaves_it_to_another() -> None:
    metrics, waits, _ = look(Checked(HOLDS), partitions=(1, 2))
    assert metrics.registry.get_sample_value("pipeline_model_brier", {"model": "own"}) is None
    assert waits == [60.0]
