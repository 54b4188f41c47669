"""What a customer would spend within the horizon if they stay, and how much of that is at risk.

How much a purchase comes to, by the gamma-gamma model of Fader and Hardie (2013), The Gamma-Gamma Model of Monetary
Value, brucehardie.com/notes/025, equation (5): of somebody whose n purchases came to s,

    E(purchase) = p·(γ + s) / (p·n + q − 1).

How often: of those who stay, λ ~ Gamma(r+x, α+T) (see `model`), so that (r+x)/(α+T)·t visits are expected within the
horizon t. Each visit brings n/visits purchases, as it has so far. So

    value = t·(r+x)/(α+T) · n/visits · E(purchase),   at risk = probability · value.

Only purchases in the model's currency count. The same formula stands in `pipeline/scores/churn/as_of.sql`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import NamedTuple

from pipeline.scores.parameters import named

#: How the parameter with γ begins; the currency follows.
GAMMA_OF = "spend_gamma:"


class Spend(NamedTuple):
    """The parameters of the gamma-gamma model: p above 0, q above 1, and γ above 0 in the currency's smallest unit."""

    currency: str
    p: float
    q: float
    gamma: float

    def check(self) -> None:
        """Raise ValueError for a parameter that is out of range."""
        if not (0 < self.p < inf and 1 < self.q < inf and 0 < self.gamma < inf):
            raise ValueError(f"spend_p {self.p}, spend_q {self.q}, spend_gamma {self.gamma}: above 0, 1 and 0")

    def parameters(self) -> dict[str, float]:
        """Return what stands in the table `model`."""
        return {"spend_p": self.p, "spend_q": self.q, f"{GAMMA_OF}{self.currency}": self.gamma}


def spend_of(parameters: Mapping[str, float]) -> Spend | None:
    """Return the spend model in a row's parameters, if there is one. Raises KeyError or ValueError for half a one."""
    gammas = named(parameters, GAMMA_OF)
    if not gammas:
        return None
    [(currency, gamma)] = gammas.items()
    return Spend(currency, float(parameters["spend_p"]), float(parameters["spend_q"]), gamma)


def expected_purchase(purchases: int, paid: int, spend: Spend) -> float:
    """Return what a purchase is expected to come to, of a customer whose purchases came to `paid` (smallest unit)."""
    return spend.p * (spend.gamma + paid) / (spend.p * purchases + spend.q - 1)
