"""The BG/NBD model's likelihood: how probable one customer's history is under given parameters.

Fader, Hardie and Lee (2005), "Counting Your Customers" the Easy Way: An Alternative to the Pareto/NBD Model, Marketing
Science 24(2), 275–284: equation (6).
"""

from __future__ import annotations

from math import exp, lgamma, log, log1p
from typing import NamedTuple


class Parameters(NamedTuple):
    """The BG/NBD's four parameters, all above 0."""

    #: Shape of the gamma distribution of customers' rates of visiting.
    r: float
    #: Its rate parameter, in the unit of time of `t_x` and `age`.
    alpha: float
    #: Of the beta distribution of the probability to leave after a visit, the weight of leaving …
    a: float
    #: … and of staying.
    b: float


def log_likelihood(x: int, t_x: float, age: float, parameters: Parameters) -> float:
    """Return the log-likelihood of `x` repeat visits, the last at `t_x`, over `age` since the first; 0 ≤ t_x ≤ age.

    Any unit of time will do, if alpha has the same. In the paper `age` is T. With B the beta function:

        L = B(a, b+x)/B(a, b) · Γ(r+x)·α^r / (Γ(r)·(α+T)^(r+x))
          + [x>0] · B(a+1, b+x−1)/B(a, b) · Γ(r+x)·α^r / (Γ(r)·(α+t_x)^(r+x))

    The first term is that of a customer who has stayed. The second's ratio to it, a/(b+x−1)·((α+T)/(α+t_x))^(r+x), is
    the odds of having left; added in logarithms, nothing overflows.
    """
    r, alpha, a, b = parameters
    stayed = (
        lgamma(b + x) - lgamma(a + b + x) + lgamma(a + b) - lgamma(b)
        + lgamma(r + x) - lgamma(r)
        - r * log1p(age / alpha) - x * log(alpha + age)
    )  # fmt: skip
    if x == 0:
        return stayed
    log_odds = log(a / (b + x - 1)) + (r + x) * log1p((age - t_x) / (alpha + t_x))
    return stayed + (log_odds + log1p(exp(-log_odds)) if log_odds > 0 else log1p(exp(log_odds)))
