"""Validation: how well predicted probabilities agree with what happened. Arrays are of customers, in one order.

Intervals are from a bootstrap over customers: of so many samples with replacement, what 2.5 % and 97.5 % stay below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit
from scipy.stats import rankdata

from pipeline.fitting.histories import Array

Outcomes: TypeAlias = NDArray[np.bool_]
#: What happened to each customer, whatever is foretold of them.
Happened = TypeVar("Happened", bound=NDArray[Any])
#: A figure of probabilities and of what happened.
Score: TypeAlias = Callable[[Array, Outcomes], float]
#: Bounds of the number of samples, and of the number of customers that are drawn in all of them.
_FEWEST_SAMPLES, _MOST_SAMPLES, _MOST_DRAWN = 20, 200, 20_000_000
#: Groups of equal width by which calibration is looked at.
_GROUPS = 10
#: Probabilities are taken for no closer to 0 and 1 than this when their logit is needed.
_CLOSEST = 1e-6


class Figure(NamedTuple):
    """A figure, and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def auc(predicted: Array, happened: Outcomes) -> float:
    """Return the chance that a customer with the event was predicted higher than one without; NaN if all are alike.

    0.5 is chance, ties count half. Mann and Whitney (1947), from ranks.
    """
    with_event = int(happened.sum())
    without = len(happened) - with_event
    if not with_event or not without:
        return float("nan")
    ranks = rankdata(predicted)
    return float((ranks[happened].sum() - with_event * (with_event + 1) / 2) / (with_event * without))


def brier(predicted: Array, happened: Outcomes) -> float:
    """Return the mean squared distance of probabilities from what happened, 0 to 1; less is better. Brier (1950)."""
    return float(np.mean((predicted - happened) ** 2))


def calibration_error(predicted: Array, happened: Outcomes) -> float:
    """Return the expected calibration error: the mean distance, 0 to 1, between predicted and seen shares.

    Over ten groups of probabilities of equal width. Naeini, Cooper and Hauskrecht (2015).
    """
    groups = np.minimum((predicted * _GROUPS).astype(int), _GROUPS - 1)
    gaps = np.bincount(groups, predicted - happened, _GROUPS)
    return float(np.abs(gaps).sum() / len(predicted))


def calibration_line(predicted: Array, happened: Outcomes) -> tuple[float, float]:
    """Return intercept and slope of the logistic regression of what happened on the logit of what was predicted.

    0 and 1 are perfect; a slope below 1 says that predictions are too extreme. Cox (1958). NaN if all are alike.
    """
    if happened.all() or not happened.any():
        return float("nan"), float("nan")
    logits = logit(np.clip(predicted, _CLOSEST, 1 - _CLOSEST))

    def loss(line: Array) -> float:
        z = line[0] + line[1] * logits
        return float(np.mean(np.logaddexp(0.0, z) - happened * z))

    def gradient(line: Array) -> Array:
        off = expit(line[0] + line[1] * logits) - happened
        return np.array([off.mean(), (off * logits).mean()])

    found = minimize(loss, np.array([0.0, 1.0]), jac=gradient, method="BFGS")
    return float(found.x[0]), float(found.x[1])


def with_interval(
    figure: Callable[[Array, Happened], float], predicted: Array, happened: Happened, samples: int, seed: int
) -> Figure:
    """Return a figure with its interval; the same seed gives the same one."""
    rng, size = np.random.default_rng(seed), len(happened)
    found = []
    for _ in range(samples):
        places = rng.integers(0, size, size)
        drawn: Any = happened[places]
        found.append(figure(predicted[places], drawn))
    low, high = np.nanquantile(found, (0.025, 0.975))
    return Figure(figure(predicted, happened), float(low), float(high))


def samples_for(customers: int) -> int:
    """Return the number of samples for so many customers: 200, and fewer of millions, whose intervals are narrow."""
    return max(_FEWEST_SAMPLES, min(_MOST_SAMPLES, _MOST_DRAWN // max(customers, 1)))
