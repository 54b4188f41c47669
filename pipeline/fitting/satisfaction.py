"""Fitting the satisfaction model on answers, and validating it on the answers that came afterwards.

A customer's answers scatter about what they think, and customers about a mean: y = m + u + e with the variances τ² of u
and σ² of e. Both are estimated by the method of moments for unbalanced groups (Searle, Casella and McCulloch 1992,
Variance Components, section 3.6), as Bühlmann and Straub (1970) do for credibility:

    σ² = Σ (y − ȳᵢ)² / Σ (nᵢ − 1),
    τ² = (Σ nᵢ (ȳᵢ − ȳ)² − (k − 1) σ²) / (N − Σ nᵢ²/N)

over k customers with nᵢ of N answers. The prior weighs σ²/τ² answers; its mean is the mean of customers' means,
weighted by their credibility nᵢ/(nᵢ + σ²/τ²). What touchpoints usually get is taken from the answers first
(`fitting.touchpoints`); as it rests on the variances in turn, both are found alternately. σ² has then as many degrees
of freedom less as there are touchpoints beyond the first.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from pipeline.fitting.histories import Array
from pipeline.fitting.maximum import NotFitted
from pipeline.fitting.touchpoints import TouchpointMeans, estimated, levels, shrunk
from pipeline.fitting.validation import Figure, samples_for

#: Half-lives in days that are tried, the last one as good as none.
HALF_LIVES = (30.0, 60.0, 90.0, 180.0, 365.0, 730.0, 36_500.0)
#: The most that the prior weighs, where customers do not differ beyond chance.
MOST_WEIGHT = 1_000.0
#: Rounds of the alternating fit, of which each changes the weight some ten times less than the one before.
_ROUNDS = 6


class Answers(NamedTuple):
    """Answers in order of customers (whole numbers from 0), then of time (days); scores are 0 to 100.

    `about` are whole numbers from 0, each for a touchpoint that is judged; `names` says which, as CHANNEL/KIND.
    """

    customers: NDArray[np.int64]
    days: Array
    scores: Array
    about: NDArray[np.int64]
    names: Sequence[str] = ()

    def where(self, chosen: NDArray[np.bool_]) -> Answers:
        """Return some of the answers."""
        return Answers(self.customers[chosen], self.days[chosen], self.scores[chosen], self.about[chosen], self.names)


class Prior(NamedTuple):
    """Holds what a customer without answers is taken for: `weight` answers of score `mean`; answers scatter by `sd`.

    `touchpoints` are the means of touchpoints by their numbers, where these differ beyond chance.
    """

    mean: float
    weight: float
    sd: float
    touchpoints: Array | None = None

    def usual(self, about: NDArray[np.int64]) -> Array:
        """Return what touchpoints usually get, by their numbers."""
        if self.touchpoints is None:
            return np.full(len(about), self.mean)
        known = np.append(self.touchpoints, self.mean)
        return np.asarray(known[np.minimum(about, len(known) - 1)])


class Validation(NamedTuple):
    """How a prediction of answers agrees with them: mean absolute error in points, and rank correlation (NaN if none).

    Both have 95 % intervals, of customers drawn anew.
    """

    error: Figure
    correlation: Figure


def ordered(answers: Answers) -> Answers:
    """Return answers in their order."""
    order = np.lexsort((answers.days, answers.customers))
    customers, days, scores, about, names = answers
    return Answers(customers[order], days[order], scores[order], about[order], names)


def answers_of(rows: Iterable[tuple[str, float, float, str]]) -> Answers | None:
    """Return rows (customer, day, score from 0 to 100, what it is about) as answers in their order; None without any.

    Customers and touchpoints get their numbers in the order in which they come. Memory: about 100 bytes a
    customer, and 64 an answer.
    """
    who, what = _Numbers(), _Numbers()
    customers, about, values = array("q"), array("q"), array("d")
    for customer, day, score, judged in rows:
        customers.append(who[customer])
        about.append(what[judged])
        values.extend((day, score))
    if not customers:
        return None
    days, scores = np.frombuffer(values).reshape(-1, 2).T
    return ordered(
        Answers(np.frombuffer(customers, np.int64), days, scores, np.frombuffer(about, np.int64), list(what))
    )


class _Numbers(dict[str, int]):
    def __missing__(self, name: str) -> int:
        number = self[name] = len(self)
        return number


def fit(answers: Answers) -> tuple[Prior, TouchpointMeans | None]:
    """Return the prior with what touchpoints usually get, and the errors of the latter.

    There are no means of touchpoints where they do not differ beyond chance, or the answers are too few to tell. Raises
    NotFitted if no customer has answered twice.
    """
    prior = fit_prior(answers)
    own, places = levels(answers.about)
    _, customers = np.unique(answers.customers, return_inverse=True)
    lost = len(own) - 1
    if not lost or len(customers) - int(customers.max()) - 1 <= lost:
        return prior, None
    for _ in range(_ROUNDS):
        found, covariances = estimated(customers, places, answers.scores, prior.weight)
        prior = fit_prior(answers._replace(scores=answers.scores - found[places]), lost)
    size = int(answers.about.max()) + 1
    means = shrunk(size, own, found, covariances * prior.sd**2)
    if not means.spread:
        return fit_prior(answers), None
    return Prior(means.mean, prior.weight, prior.sd, means.means), means


def fit_prior(answers: Answers, lost: int = 0) -> Prior:
    """Return the prior by the moments of answers, the same for all touchpoints.

    `lost` are the degrees of freedom that means taken from the answers have cost. Raises NotFitted if no customer has
    answered twice.
    """
    _, places, counts = np.unique(answers.customers, return_inverse=True, return_counts=True)
    total, groups = len(answers.scores), len(counts)
    if total == groups:
        raise NotFitted("no customer has answered twice")
    means = np.bincount(places, answers.scores) / counts
    within = float(np.sum((answers.scores - means[places]) ** 2)) / (total - groups - lost)
    grand = float(answers.scores.mean())
    spread = float(np.sum(counts * (means - grand) ** 2)) - (groups - 1) * within
    between = spread / (total - float(np.sum(counts**2)) / total) if groups > 1 else 0.0
    if within <= 0:
        raise NotFitted("each customer has always given the same answer")
    weight = min(MOST_WEIGHT, within / between) if between > 0 else MOST_WEIGHT
    credibility = counts / (counts + weight)
    return Prior(float(np.sum(credibility * means) / np.sum(credibility)), weight, float(np.sqrt(within)))


class Foretold(NamedTuple):
    """Holds what was expected of an answer's customer by the answers before; NaN for the first.

    `scores` are those of `scores.satisfaction.estimate` as of the moment of the answer: of the customer over all. `at`
    is what is expected of the touchpoint that the answer is about: what that usually gets, and how far the customer
    lies above what is usual elsewhere.
    """

    scores: Array
    at: Array


def foretell(answers: Answers, prior: Prior, half_life_days: float) -> Foretold:
    """Return for each answer what was expected by the customer's answers before."""
    expected, at = np.full(len(answers.scores), np.nan), np.full(len(answers.scores), np.nan)
    starts, counts = _runs(answers.customers)
    usual = prior.usual(answers.about)
    weight, weighted, means = np.zeros(len(starts)), np.zeros(len(starts)), np.zeros(len(starts))
    for number in range(int(counts.max(initial=0))):
        live = np.flatnonzero(counts > number)
        rows = starts[live] + number
        if number:
            faded = 2.0 ** (-(answers.days[rows] - answers.days[rows - 1]) / half_life_days)
            weight[live] *= faded
            weighted[live] *= faded
            means[live] *= faded
            above = (weighted[live] - means[live]) / (prior.weight + weight[live])
            # Weights of an answer that is older than a thousand half-lives are 0.
            known = np.divide(means[live], weight[live], out=np.full(len(live), prior.mean), where=weight[live] > 0)
            expected[rows] = known + above
            at[rows] = usual[rows] + above
        weight[live] += 1.0
        weighted[live] += answers.scores[rows]
        means[live] += usual[rows]
    return Foretold(expected, at)


def choose_half_life(answers: Answers, prior: Prior, tried: Sequence[float] = HALF_LIVES) -> float:
    """Return the half-life in days by which each next answer is foretold with the least squared error."""

    def error(days: float) -> float:
        return float(np.nanmean((foretell(answers, prior, days).at - answers.scores) ** 2))

    return min(tried, key=error)


def last_answers(answers: Answers) -> Array:
    """Return for each answer the customer's one before; NaN for the first."""
    before = np.full(len(answers.scores), np.nan)
    same = np.flatnonzero(answers.customers[1:] == answers.customers[:-1])
    before[same + 1] = answers.scores[same]
    return before


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


def difference(predicted: Array, other: Array, scores: Array, customers: NDArray[np.int64], seed: int) -> Figure:
    """Return by how many points the mean absolute error of a prediction is above another one's, of the same answers.

    Below 0 it is the better one. The 95 % interval is of customers drawn anew, each with all of their answers.
    """
    apart = np.abs(predicted - scores) - np.abs(other - scores)
    _, places, counts = np.unique(customers, return_inverse=True, return_counts=True)
    sums, groups = np.bincount(places, apart), len(counts)
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(samples_for(len(scores))):
        times = np.bincount(rng.integers(0, groups, groups), minlength=groups)
        drawn.append(float(times @ sums / (times @ counts)))
    return _figure(float(apart.mean()), drawn)


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
