"""Fitting the satisfaction model on answers, and validating it on the answers that came afterwards.

A customer's answers scatter about what they think, and customers about a mean: y = m + u + e with the variances τ² of u
and σ² of e. Both are estimated by the method of moments for unbalanced groups (Searle, Casella and McCulloch 1992,
Variance Components, section 3.6), as Bühlmann and Straub (1970) do for credibility:

    σ² = Σ (y − ȳᵢ)² / Σ (nᵢ − 1),
    τ² = (Σ nᵢ (ȳᵢ − ȳ)² − (k − 1) σ²) / (N − Σ nᵢ²/N)

over k customers with nᵢ of N answers. The prior weighs σ²/τ² answers; its mean is the mean of customers' means,
weighted by their credibility nᵢ/(nᵢ + σ²/τ²).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from pipeline.fitting.histories import Array
from pipeline.fitting.maximum import NotFitted
from pipeline.fitting.validation import Figure, samples_for

#: Half-lives in days that are tried, the last one as good as none.
HALF_LIVES = (30.0, 60.0, 90.0, 180.0, 365.0, 730.0, 36_500.0)
#: The most that the prior weighs, where customers do not differ beyond chance.
MOST_WEIGHT = 1_000.0


class Answers(NamedTuple):
    """Answers in order of customers (whole numbers from 0), then of time (days); scores are 0 to 100.

    `about` are whole numbers from 0, each for a touchpoint that is judged.
    """

    customers: NDArray[np.int64]
    days: Array
    scores: Array
    about: NDArray[np.int64]

    def where(self, chosen: NDArray[np.bool_]) -> Answers:
        """Return some of the answers."""
        return Answers(self.customers[chosen], self.days[chosen], self.scores[chosen], self.about[chosen])


class Prior(NamedTuple):
    """What is expected of a customer without answers: `weight` answers of the score `mean`; answers scatter by `sd`."""

    mean: float
    weight: float
    sd: float


class Validation(NamedTuple):
    """How a prediction of answers agrees with them: mean absolute error in points, and rank correlation (NaN if none).

    Both have 95 % intervals, of customers drawn anew.
    """

    error: Figure
    correlation: Figure


def ordered(answers: Answers) -> Answers:
    """Return answers in their order."""
    order = np.lexsort((answers.days, answers.customers))
    customers, days, scores, about = answers
    return Answers(customers[order], days[order], scores[order], about[order])


def fit_prior(answers: Answers) -> Prior:
    """Return the prior by the moments of answers. Raises NotFitted if no customer has answered twice."""
    _, places, counts = np.unique(answers.customers, return_inverse=True, return_counts=True)
    total, groups = len(answers.scores), len(counts)
    if total == groups:
        raise NotFitted("no customer has answered twice")
    means = np.bincount(places, answers.scores) / counts
    within = float(np.sum((answers.scores - means[places]) ** 2)) / (total - groups)
    grand = float(answers.scores.mean())
    spread = float(np.sum(counts * (means - grand) ** 2)) - (groups - 1) * within
    between = spread / (total - float(np.sum(counts**2)) / total) if groups > 1 else 0.0
    if within <= 0:
        raise NotFitted("each customer has always given the same answer")
    weight = min(MOST_WEIGHT, within / between) if between > 0 else MOST_WEIGHT
    credibility = counts / (counts + weight)
    return Prior(float(np.sum(credibility * means) / np.sum(credibility)), weight, float(np.sqrt(within)))


def foretell(answers: Answers, prior: Prior, half_life_days: float) -> Array:
    """Return for each answer what was expected of its customer by the answers before; NaN for the first.

    It is the score of `scores.satisfaction.estimate` as of the moment of the answer.
    """
    expected = np.full(len(answers.scores), np.nan)
    starts, counts = _runs(answers.customers)
    weight, weighted = np.zeros(len(starts)), np.zeros(len(starts))
    for number in range(int(counts.max(initial=0))):
        live = np.flatnonzero(counts > number)
        rows = starts[live] + number
        if number:
            faded = 2.0 ** (-(answers.days[rows] - answers.days[rows - 1]) / half_life_days)
            weight[live] *= faded
            weighted[live] *= faded
            expected[rows] = (prior.weight * prior.mean + weighted[live]) / (prior.weight + weight[live])
        weight[live] += 1.0
        weighted[live] += answers.scores[rows]
    return expected


def choose_half_life(answers: Answers, prior: Prior, tried: Sequence[float] = HALF_LIVES) -> float:
    """Return the half-life in days by which each next answer is foretold with the least squared error."""

    def error(days: float) -> float:
        return float(np.nanmean((foretell(answers, prior, days) - answers.scores) ** 2))

    return min(tried, key=error)


def last_answers(answers: Answers) -> Array:
    """Return for each answer the customer's one before; NaN for the first."""
    before = np.full(len(answers.scores), np.nan)
    same = np.flatnonzero(answers.customers[1:] == answers.customers[:-1])
    before[same + 1] = answers.scores[same]
    return before


def usual_answers(learned: Answers, answers: Answers, otherwise: float) -> Array:
    """Return for each answer the mean of the learned ones about the same touchpoint; `otherwise` if there are none."""
    size = int(max(learned.about.max(initial=0), answers.about.max(initial=0))) + 1
    counts = np.bincount(learned.about, minlength=size)
    sums = np.bincount(learned.about, learned.scores, minlength=size)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), otherwise)
    return np.asarray(means[answers.about])


def validate(predicted: Array, scores: Array, customers: NDArray[np.int64], seed: int) -> Validation:
    """Return how predictions agree with answers of these customers; the same seed gives the same intervals."""
    rng = np.random.default_rng(seed)
    _, places = np.unique(customers, return_inverse=True)
    groups = int(places.max()) + 1
    errors, correlations = [], []
    for _ in range(samples_for(len(scores))):
        rows = np.repeat(np.arange(len(scores)), np.bincount(rng.integers(0, groups, groups), minlength=groups)[places])
        errors.append(_error(predicted[rows], scores[rows]))
        correlations.append(_correlation(predicted[rows], scores[rows]))
    return Validation(
        _figure(_error(predicted, scores), errors), _figure(_correlation(predicted, scores), correlations)
    )


def _figure(value: float, drawn: Sequence[float]) -> Figure:
    known = [each for each in drawn if not np.isnan(each)]
    if np.isnan(value) or not known:
        return Figure(value, float("nan"), float("nan"))
    low, high = np.quantile(known, (0.025, 0.975))
    return Figure(value, float(low), float(high))


def _error(predicted: Array, scores: Array) -> float:
    return float(np.mean(np.abs(predicted - scores)))


def _correlation(predicted: Array, scores: Array) -> float:
    if np.ptp(predicted) == 0 or np.ptp(scores) == 0:
        return float("nan")
    return float(spearmanr(predicted, scores).statistic)


def _runs(customers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each customer's answers begin, and how many they are."""
    _, starts, counts = np.unique(customers, return_index=True, return_counts=True)
    return starts.astype(np.int64), counts.astype(np.int64)
