"""The gamma-gamma model of spending: what a customer's visits are worth.

What a customer spends at a visit scatters around a mean of their own, z ~ Gamma(p, ν), ν ~ Gamma(q, γ), which has
nothing to do with how often they come. Fader and Hardie (2013), The Gamma-Gamma Model of Monetary Value,
brucehardie.com/notes/025.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import gammaln

from pipeline.fitting.histories import Array


class Spend(NamedTuple):
    """The parameters, all above 0; γ in the currency."""

    p: float
    q: float
    gamma: float


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
