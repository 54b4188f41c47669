"""The counting models BG/NBD and MBG/NBD: how likely histories are, and how many visits come next.

While alive, a customer visits at random with a rate λ of their own, λ ~ Gamma(r, α). In the BG/NBD they leave for good
after a repeat visit with a probability p of their own, p ~ Beta(a, b); in the MBG/NBD after the first visit, too, so
that those who came once may have left.

BG/NBD: Fader, Hardie and Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2), 275–284.
MBG/NBD: Batislam, Denizel and Filiztekin (2007), Empirical validation and comparison of models for customer base
analysis, International Journal of Research in Marketing 24(3), 201–209.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import betaln, gammaln, hyp2f1

from pipeline.fitting.histories import Array, Histories


class Counting(NamedTuple):
    """The parameters, all above 0; α in days. `leaves_after_first` tells the MBG/NBD from the BG/NBD."""

    r: float
    alpha: float
    a: float
    b: float
    leaves_after_first: bool = False

    @classmethod
    def of(cls, values: Array, leaves_after_first: bool) -> Counting:
        """Return the model with r, α, a and b."""
        r, alpha, a, b = map(float, values)
        return cls(r, alpha, a, b, leaves_after_first)

    @property
    def name(self) -> str:
        """Return what the model is called."""
        return "MBG/NBD" if self.leaves_after_first else "BG/NBD"


def log_likelihood(histories: Histories, model: Counting) -> float:
    """Return the log-likelihood of histories, with time in days.

    With c = 0 in the BG/NBD and 1 in the MBG/NBD, and B the beta function, a customer's likelihood is

        B(a, b+x+c)/B(a, b) · Γ(r+x)·α^r / (Γ(r)·(α+T)^(r+x))
        + [x+c>0] · B(a+1, b+x−1+c)/B(a, b) · Γ(r+x)·α^r / (Γ(r)·(α+t_x)^(r+x)):

    they have stayed, or left after the last visit. The ratio of the second to the first are the odds of having left.
    """
    r, alpha, a, b, _ = model
    x, places = histories.distinct
    of_count = betaln(a, b + x + model.leaves_after_first) - betaln(a, b) + gammaln(r + x) - gammaln(r)
    stayed = of_count[places] + r * np.log(alpha) - (r + histories.repeats) * np.log(alpha + histories.age)
    return float(np.sum(stayed + np.logaddexp(0.0, log_odds_of_having_left(histories, model))))


def log_odds_of_having_left(histories: Histories, model: Counting) -> Array:
    """Return the logarithm of the odds that each customer has left for good, −∞ where that can't be."""
    r, alpha, a, b, leaves_after_first = model
    x = histories.repeats
    with np.errstate(divide="ignore", invalid="ignore"):  # b may be below 1 where x is 0, which does not count then
        odds = np.log(a / (b + x - 1 + leaves_after_first)) + (r + x) * np.log1p(
            (histories.age - histories.last) / (alpha + histories.last)
        )
    return odds if leaves_after_first else np.where(x > 0, odds, -np.inf)


def alive(histories: Histories, model: Counting) -> Array:
    """Return the chance, 0 to 1, that each customer has not left for good."""
    return np.exp(-np.logaddexp(0.0, log_odds_of_having_left(histories, model)))


def comes(histories: Histories, model: Counting, days: float) -> Array:
    """Return the chance, 0 to 1, that each customer comes within so many days after they were followed.

    One who is alive at T stays alive until the next visit, and has λ ~ Gamma(r+x, α+T).
    """
    x = histories.repeats
    return alive(histories, model) * -np.expm1(-(model.r + x) * np.log1p(days / (model.alpha + histories.age)))


def expected(histories: Histories, model: Counting, days: float) -> Array:
    """Return how many visits are expected of each customer in so many days after they were followed.

    Equation (10) of the BG/NBD's paper; that of the MBG/NBD differs by c as the likelihood does:

        (a+b+x−1+c)/(a−1) · P(alive) · (1 − ((α+T)/(α+T+t))^(r+x) · ₂F₁(r+x, b+x+c; a+b+x−1+c; t/(α+T+t)))
    """
    r, alpha, a, b, c = model
    x, until = histories.repeats, alpha + histories.age
    hypergeometric = hyp2f1(r + x, b + x + c, a + b + x - 1 + c, days / (until + days))
    rest = 1 - (until / (until + days)) ** (r + x) * hypergeometric
    return np.asarray((a + b + x - 1 + c) / (a - 1) * rest * alive(histories, model))
