"""One worker checks the models, and shows what it finds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from structlog.testing import capture_logs

from pipeline.observe.metrics import Metrics
from pipeline.processing.model_monitor import Checked, ModelMonitor

CHURN: dict[str, Any] = {
    "model": "churn",
    "version": "own",
    "validation": {"brier": {"value": 0.16}, "intercept": {"value": 0.1}, "slope": {"value": 0.9}},
    "brier_limit": 0.2,
    "drift": {"repeat visits": 0.02},
    "findings": [],
}
EXPECTED: dict[str, Any] = {
    "model": "expected_satisfaction",
    "version": "own",
    "validation": {"error": {"value": 14.0}, "correlation": {"value": None}},
    "usual": {"error": {"value": 19.0}},
    "calibration": {"intercept": 0.2, "slope": None, "gap": 2.0},
    "error_limit": 16.0,
    "drift": {"wait": 0.3},
    "findings": [],
}
NOT_CHECKED = {"model": "satisfaction", "version": "1", "why_not": "The tables hold no answers yet."}


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


def of(metrics: Metrics, name: str, model: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"pipeline_model_{name}", {"model": model, "version": "own", **labels})


def checked_at(metrics: Metrics, model: str) -> float | None:
    return metrics.registry.get_sample_value("pipeline_model_checked_timestamp_seconds", {"model": model})


def test_what_checks_find_is_shown_by_model() -> None:
    found: Sequence[Any] = [CHURN, NOT_CHECKED, EXPECTED]
    metrics, waits, logs = look(Checked(found))
    assert [of(metrics, name, "churn") for name in ("brier", "brier_limit", "error")] == [0.16, 0.2, None]
    assert of(metrics, "calibration_slope", "churn") == 0.9
    assert of(metrics, "drift", "churn", input="repeat visits") == 0.02
    expected = [of(metrics, name, "expected_satisfaction") for name in ("error", "usual_error", "error_limit", "brier")]
    assert expected == [14.0, 19.0, 16.0, None]
    assert of(metrics, "calibration_intercept", "expected_satisfaction") == 0.2
    assert of(metrics, "calibration_slope", "expected_satisfaction") is None
    assert of(metrics, "drift", "expected_satisfaction", input="wait") == 0.3
    assert (checked_at(metrics, "churn") or 0) > 0
    assert checked_at(metrics, "satisfaction") is None
    assert waits == [3600.0]
    assert [(each["event"], each["model"]) for each in logs] == [("a model was not checked", "satisfaction")]


def test_what_does_not_hold_is_in_the_log() -> None:
    _, _, logs = look(Checked([{**CHURN, "findings": ["It foretells worse."], "drift": None}, EXPECTED]))
    assert [(each["event"], each["model"]) for each in logs] == [("a model does not hold", "churn")]


def test_figures_of_a_model_that_can_not_be_checked_any_more_are_gone() -> None:
    metrics, _, logs = look(Checked([CHURN, EXPECTED]), Checked([EXPECTED]), Checked((), "No model can be checked."))
    assert of(metrics, "brier", "churn") is None
    assert of(metrics, "error", "expected_satisfaction") is None
    assert [each["why"] for each in logs] == ["No model can be checked."]


def test_a_worker_without_the_first_partition_leaves_it_to_another() -> None:
    metrics, waits, _ = look(Checked([CHURN]), partitions=(1, 2))
    assert of(metrics, "brier", "churn") is None
    assert waits == [60.0]
