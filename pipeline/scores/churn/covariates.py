"""What is learned of customers beyond the counting of their visits, on the logit of the churn probability.

A logistic regression whose offset is the logit of what the counting model says: with p that probability, the reported
one has the logit

    ln(p/(1−p)) + intercept + silence · ln(1 + x·s/(α + t_x)),

where x repeat visits, the last t_x days after the first, are followed by s days of silence. x/(α + t_x) is the
customer's own rhythm, drawn towards none by as much history as the prior is worth, so that x·s/(α + t_x) is how many
visits are missing by it. All coefficients are 0 until they are fitted (`pipeline.fitting.covariates`).
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

    def shift(self, x: int, t_x: float, silence: float, alpha_days: float) -> float:
        """Return by how much the logit moves, of `x` repeat visits, the last after `t_x` days, `silence` days ago."""
        shift = self.intercept + self.silence * log1p(x * silence / (alpha_days + t_x))
        return max(-_FURTHEST, min(_FURTHEST, shift))


#: What changes nothing.
NOTHING = Covariates()


def moved(stays: float, shift: float) -> float:
    """Return the risk whose logit is that of 1 − `stays` moved by `shift`; `stays` is 0 to 1."""
    odds = (1.0 - stays) * exp(shift)
    return odds / (odds + stays)
