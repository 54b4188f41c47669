"""What is learned of customers beyond the counting of their visits, on the logit of the churn probability.

A logistic regression whose offset is the logit of what the counting model says: with p that probability, the reported
one has the logit

    ln(p/(1−p)) + intercept + silence · ln(1 + x·s/(α + t_x)) + Σ coefficient · feature,

where x repeat visits, the last t_x days after the first, are followed by s days of silence. x/(α + t_x) is the
customer's own rhythm, drawn towards none by as much history as the prior is worth, so that x·s/(α + t_x) is how many
visits are missing by it. The features of the other coefficients stand in `beyond`. All coefficients are 0 until they
are fitted (`pipeline.fitting.covariates`).
"""

from __future__ import annotations

from math import exp, log1p
from typing import NamedTuple

#: Coefficients are at most so large.
LARGEST = 10.0
#: No logit is moved further than this: it is certainty, and nothing overflows.
_FURTHEST = 150.0


class Covariates(NamedTuple):
    """The coefficients; see the module. Positive ones raise the risk."""

    intercept: float = 0.0
    silence: float = 0.0
    help: float = 0.0
    complaints: float = 0.0
    failures: float = 0.0
    bad_answers: float = 0.0
    satisfaction: float = 0.0
    falling_use: float = 0.0
    money: float = 0.0

    @property
    def beyond(self) -> tuple[float, ...]:
        """Return the coefficients of the features in `beyond`, in their order."""
        return self[OF_VISITS:]

    def by_visits(self, x: int, t_x: float, silence: float, alpha_days: float) -> float:
        """Return what visits add, of `x` repeat visits, the last after `t_x` days, `silence` days ago."""
        return self.intercept + self.silence * log1p(x * silence / (alpha_days + t_x))

    def shift(self, x: int, t_x: float, silence: float, alpha_days: float, beyond: float = 0.0) -> float:
        """Return by how much the logit moves; `beyond` is what the features in `beyond` add."""
        return max(-_FURTHEST, min(_FURTHEST, self.by_visits(x, t_x, silence, alpha_days) + beyond))


#: Number of coefficients that rest on visits alone; they come first.
OF_VISITS = 2


#: What changes nothing.
NOTHING = Covariates()


def moved(stays: float, shift: float) -> float:
    """Return the risk whose logit is that of 1 − `stays` moved by `shift`; `stays` is 0 to 1."""
    odds = (1.0 - stays) * exp(shift)
    return odds / (odds + stays)
