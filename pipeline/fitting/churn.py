"""Fitting the churn model on visits, and validating it on what came afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import NamedTuple

import numpy as np

from pipeline.fitting import validation
from pipeline.fitting.counting import Counting, log_likelihood
from pipeline.fitting.histories import Array, Histories
from pipeline.fitting.maximum import NotFitted, maximise
from pipeline.fitting.validation import Figure, Outcomes, samples_for, with_interval


class Fit(NamedTuple):
    """A model as it was fitted; `errors` are the standard errors of r, α (days), a and b, NaN where unknown.

    The log-likelihood is with time in days.
    """

    model: Counting
    errors: Sequence[float]
    log_likelihood: float
    customers: int
    repeats: int

    def log_likelihood_in(self, days: float) -> float:
        """Return the log-likelihood with time in units of so many days: a density of the time of each repeat visit."""
        return self.log_likelihood + self.repeats * log(days)


class Validation(NamedTuple):
    """How a model's probabilities to come within the horizon agree with who came; each with its 95 % interval.

    `intercept` and `slope` are those of the calibration line, `calibration_error` the expected one.
    """

    auc: Figure
    brier: Figure
    calibration_error: Figure
    intercept: Figure
    slope: Figure

    def figures(self) -> dict[str, dict[str, float]]:
        """Return the figures and the ends of their intervals by name, as JSON has them."""
        return {name: figure._asdict() for name, figure in self._asdict().items()}


class Baseline(NamedTuple):
    """Holds what a model has to beat: the order by recency alone, and the share that came for everybody."""

    recency_auc: Figure
    base_rate_brier: float
    base_rate: float


def fit(histories: Histories, leaves_after_first: bool) -> Fit:
    """Return the model under which histories are most likely. Raises NotFitted when they do not tell."""
    repeats = int(histories.repeats.sum())
    if not repeats:
        raise NotFitted("no customer came a second time")
    middle = max(float(histories.age.mean()), 1.0)
    found = maximise(
        lambda values: log_likelihood(histories, Counting.of(values, leaves_after_first)),
        [(1.0, middle, 1.0, 1.0), (0.3, middle / 5, 1.0, 3.0)],
    )
    model = Counting.of(found.values, leaves_after_first)
    return Fit(model, found.errors.tolist(), found.log_likelihood, len(histories), repeats)


def validate(predicted: Array, came: Outcomes, seed: int) -> Validation:
    """Return how well each customer's chance to come within the horizon agrees with who came."""

    def figure(of: validation.Score) -> Figure:
        return with_interval(of, predicted, came, samples_for(len(came)), seed)

    return Validation(
        figure(validation.auc),
        figure(validation.brier),
        figure(validation.calibration_error),
        figure(lambda p, y: validation.calibration_line(p, y)[0]),
        figure(lambda p, y: validation.calibration_line(p, y)[1]),
    )


def baseline(histories: Histories, came: Outcomes, seed: int) -> Baseline:
    """Return what is known without a model."""
    recency: Array = histories.last - histories.age
    rate = float(np.mean(came))
    interval = with_interval(validation.auc, recency, came, samples_for(len(came)), seed)
    return Baseline(interval, rate * (1 - rate), rate)
