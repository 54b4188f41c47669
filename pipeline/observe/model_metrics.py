"""What checks of the active models have found, as metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Gauge


class ModelMetrics:
    """Gauges by the model's name and version; a model without a figure has no series of it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, *more: str) -> Gauge:
            return Gauge(f"pipeline_model_{name}", text, ["model", "version", *more], registry=registry)

        self._brier = gauge("brier", "Mean squared error of the active churn model's probabilities of a horizon ago")
        self._brier_limit = gauge(
            "brier_limit",
            "From where on that is worse than the base rate, or than in the validation by more than chance",
        )
        self._error = gauge(
            "error", "Mean error of answers that the active model foretold since its fit, in points of 100"
        )
        self._usual_error = gauge("usual_error", "The same by what the touchpoint usually gets")
        self._error_limit = gauge(
            "error_limit",
            "From where on the error is worse than the usual one, or than in the validation, by more than chance",
        )
        self._intercept = gauge("calibration_intercept", "Intercept of the calibration line; 0 is perfect")
        self._slope = gauge("calibration_slope", "Slope of the calibration line; 1 is perfect")
        self._drift = gauge("drift", "Population stability index of an input of the model since it was fitted", "input")
        self._checked = Gauge(
            "pipeline_model_checked_timestamp_seconds", "When this worker last checked the model", ["model"],
            registry=registry,
        )  # fmt: skip

    def show(self, checks: Sequence[Mapping[str, Any]]) -> None:
        """Show the figures of these models and no others; each as an entry of `pipeline models check --json`.

        What could not be checked has no figures.
        """
        for gauge in (self._brier, self._brier_limit, self._error, self._usual_error, self._error_limit):
            gauge.clear()
        for gauge in (self._intercept, self._slope, self._drift):
            gauge.clear()
        for checked in [each for each in checks if "why_not" not in each]:
            self._show(checked)

    def _show(self, checked: Mapping[str, Any]) -> None:
        model, version = checked["model"], checked["version"]
        validation, calibration = checked["validation"], checked.get("calibration", {})
        figures = {
            self._brier: _value(validation.get("brier")),
            self._brier_limit: checked.get("brier_limit"),
            self._error: _value(validation.get("error")),
            self._usual_error: _value(checked.get("usual", {}).get("error")),
            self._error_limit: checked.get("error_limit"),
            self._intercept: _value(validation.get("intercept"), calibration.get("intercept")),
            self._slope: _value(validation.get("slope"), calibration.get("slope")),
        }
        for gauge, value in figures.items():
            if value is not None:
                gauge.labels(model, version).set(value)
        for name, index in (checked["drift"] or {}).items():
            self._drift.labels(model, version, name).set(index)
        self._checked.labels(model).set_to_current_time()


def _value(figure: Mapping[str, float | None] | None, otherwise: float | None = None) -> float | None:
    return otherwise if figure is None else figure["value"]
