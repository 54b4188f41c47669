"""Fits what touchpoints usually get: their means by empirical Bayes, beside customers who differ.

An answer is y = m_t + u + e, with a mean m_t of the touchpoint t, a customer's u (variance τ²) and scatter e (σ²). With
k = σ²/τ² known, the m_t are estimated by generalised least squares (Searle, Casella and McCulloch 1992, Variance
Components, section 7.4): with C the number of answers by customer and touchpoint, n by touchpoint, nᵢ by customer,

    A m = b,  A = diag(n) − C′ diag(1/(nᵢ + k)) C,  b = Σ y by touchpoint − C′ (Σ y of the customer/(nᵢ + k)),

and their covariances are σ² A⁻¹. A touchpoint that unhappy customers meet more often looks less bad than by the mean
of its answers, but still too bad: u is taken for independent of what customers are asked about.

Each is then shrunk towards the mean of all by as much as it is uncertain: m + (m_t − m)·υ²/(υ² + s²), where s² is its
squared error and υ² the variance of touchpoints, by the moments of DerSimonian and Laird (1986, Controlled Clinical
Trials 7, 177–188) with the covariances of the estimates.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from pipeline.fitting.histories import Array

#: Number of touchpoints that have a mean of their own, those with the most answers; all others have one together.
MOST = 500


class TouchpointMeans(NamedTuple):
    """The mean of each touchpoint, shrunk, and its standard error before that, by its number; NaN without answers.

    `mean` is that of all touchpoints, `spread` the standard deviation υ of touchpoints about it. Touchpoints beyond
    `MOST` have the mean.
    """

    means: Array
    errors: Array
    mean: float
    spread: float


def estimated(
    customers: NDArray[np.int64], about: NDArray[np.int64], scores: Array, weight: float
) -> tuple[Array, Array]:
    """Return the means of touchpoints by generalised least squares, and their covariances in units of σ².

    `customers` and `about` are whole numbers from 0, each of which is there; `weight` is k.
    """
    ones = np.ones(len(scores))
    counts = csr_array((ones, (customers, about)))
    answers = np.bincount(customers)
    share = 1.0 / (answers + weight)
    left = np.diag(np.bincount(about).astype(float)) - (counts.T @ diags_array(share) @ counts).toarray()
    right = np.bincount(about, scores) - counts.T @ (share * np.bincount(customers, scores))
    inverse = np.linalg.inv(left)
    return inverse @ right, inverse


def levels(about: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the touchpoints that have a mean of their own, and the place of each answer's among them.

    The place after the last one stands for all others.
    """
    there, counts = np.unique(about, return_counts=True)
    own = np.sort(there[np.argsort(-counts, kind="stable")[:MOST]])
    places = np.minimum(np.searchsorted(own, about), len(own) - 1)
    return own, np.where(own[places] == about, places, len(own))


def shrunk(size: int, own: NDArray[np.int64], found: Array, covariances: Array) -> TouchpointMeans:
    """Return the means of `size` touchpoints, shrunk by as much as they are uncertain; `own` are their numbers."""
    found, covariances = found[: len(own)], covariances[: len(own), : len(own)]
    squared = np.diag(covariances)
    by = 1.0 / squared
    middle = float(by @ found / by.sum())
    expected = len(own) - float(by @ covariances @ by) / float(by.sum())
    freedom = float(by.sum() - (by @ by) / by.sum())
    between = max(0.0, (float(by @ (found - middle) ** 2) - expected) / freedom) if freedom > 0 else 0.0
    by = 1.0 / (squared + between)
    mean = float(by @ found / by.sum())
    means, errors = np.full(size, mean), np.full(size, np.nan)
    means[own] = np.clip(mean + (found - mean) * between / (between + squared), 0.0, 100.0)
    errors[own] = np.sqrt(squared)
    return TouchpointMeans(means, errors, float(np.clip(mean, 0.0, 100.0)), float(np.sqrt(between)))
