"""The gamma-gamma model of spending: what a customer's visits are worth.

What a customer spends at a visit scatters around a mean of their own, z ~ Gamma(p, ν), ν ~ Gamma(q, γ), which has
nothing to do with how often they come. Fader and Hardie (2013), The Gamma-Gamma Model of Monetary Value,
brucehardie.com/notes/025.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from pipeline.fitting.histories import Array
from pipeline.fitting.maximum import NotFitted, maximise


class Spend(NamedTuple):
    """The parameters, all above 0; γ in the currency."""

    p: float
    q: float
    gamma: float


class Spending(NamedTuple):
    """Holds, of each customer who spent something at repeat visits, how many these were, and the mean amount."""

    repeats: Array
    mean: Array


class SpendFit(NamedTuple):
    """A model as it was fitted; `errors` are standard errors, NaN where unknown."""

    model: Spend
    errors: Sequence[float]
    log_likelihood: float
    customers: int


def fit(spending: Spending) -> SpendFit:
    """Return the model under which what was spent is most likely. Raises NotFitted when that does not tell."""
    if not len(spending.mean):
        raise NotFitted("nobody spent anything at a repeat visit")
    middle = float(np.mean(spending.mean))
    found = maximise(
        lambda values: log_likelihood(*spending, Spend(*map(float, values))),
        [(1.0, 2.0, middle), (5.0, 3.0, middle / 2)],
    )
    return SpendFit(Spend(*map(float, found.values)), found.errors.tolist(), found.log_likelihood, len(spending.mean))


def spending(customers: NDArray[np.int64], at_ms: NDArray[np.int64], amounts: Array, until_ms: int) -> Spending:
    """Return what was spent at visits up to `until_ms` (inclusive) but each customer's first.

    The arrays have an entry for each payment, in any order; those of a customer at the same moment are one visit.
    """
    kept = at_ms <= until_ms
    visits, places = np.unique(np.stack([customers[kept], at_ms[kept]]), axis=1, return_inverse=True)
    of_visit = np.bincount(places.ravel(), amounts[kept], visits.shape[1])
    known, starts, counts = np.unique(visits[0], return_index=True, return_counts=True)
    sums = np.bincount(np.repeat(np.arange(len(known)), counts), of_visit, len(known)) - of_visit[starts]
    repeats = counts.astype(np.float64) - 1
    spent = (repeats > 0) & (sums > 0)
    mean = sums[spent] / repeats[spent]
    return Spending(repeats[spent], mean)


def log_likelihood(repeats: Array, mean: Array, model: Spend) -> float:
    """Return the log-likelihood of mean amounts over so many repeat visits, both above 0: equation (1a) of the note.

    Γ(px+q) / (Γ(px)·Γ(q)) · γ^q · z̄^(px−1) · x^(px) / (γ + x·z̄)^(px+q)
    """
    p, q, gamma = model
    shape = p * repeats
    return float(
        np.sum(
            gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(gamma)
            + (shape - 1) * np.log(mean) + shape * np.log(repeats) - (shape + q) * np.log(gamma + repeats * mean)
        )
    )  # fmt: skip


def expected_mean(repeats: Array, mean: Array, model: Spend) -> Array:
    """Return what each customer is expected to spend at a visit: equation (5) of the note.

    It is a weighted mean of what they spent and of what all customers spend, p·γ/(q−1); of a customer without repeat
    visits, the latter. q must be above 1.
    """
    p, q, gamma = model
    return np.asarray(p * (gamma + repeats * mean) / (p * repeats + q - 1))
