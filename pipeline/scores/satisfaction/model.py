"""What a customer's satisfaction is estimated with, beside their own answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from pipeline.scores.parameters import named

DAY_MS = 86_400_000
#: What the name of a touchpoint's mean begins with among the parameters; CHANNEL/KIND follows.
TOUCHPOINT_MEAN = "prior_mean:"


@dataclass(frozen=True, slots=True, kw_only=True)
class SatisfactionModel:
    """The parameters of `estimate`; a row of the table `model`.

    Another `half_life_days` makes stored `Answers` meaningless: they have to be added up again from the events.
    The other parameters may change at any time.
    """

    NAME: ClassVar[str] = "satisfaction"

    version: str
    source: str
    #: Days (rounded to the millisecond) after which an answer counts half; 1 to 36,500.
    half_life_days: float
    #: The score expected of an unknown customer about an unknown touchpoint, 0 (worst) to 100 (best).
    prior_mean: float
    #: How many answers given just now that expectation is worth: σ²/τ², above 0.
    prior_weight: float
    #: σ: how far a customer's single answers scatter about what they think, in points; above 0.
    answer_sd: float
    #: What the touchpoints usually get, 0 to 100, by CHANNEL/KIND; `prior_mean` holds for all others.
    touchpoint_means: Mapping[str, float] = field(default_factory=dict)
    half_life_ms: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what is out of range with a ValueError."""
        if not 1 <= self.half_life_days <= 36_500:
            raise ValueError(f"half_life_days is {self.half_life_days}; it takes 1 to 36,500")
        means = {TOUCHPOINT_MEAN + touchpoint: mean for touchpoint, mean in self.touchpoint_means.items()}
        for name, mean in {"prior_mean": self.prior_mean, **means}.items():
            if not 0 <= mean <= 100:
                raise ValueError(f"{name} is {mean}; it takes 0 to 100")
        for name, value in (("prior_weight", self.prior_weight), ("answer_sd", self.answer_sd)):
            if not 0 < value < math.inf:
                raise ValueError(f"{name} is {value}; it must be above 0")
        object.__setattr__(self, "half_life_ms", round(self.half_life_days * DAY_MS))

    @property
    def label(self) -> str:
        """Name and version, as scores carry them."""
        return f"{self.NAME} {self.version}"

    def parameters(self) -> dict[str, float]:
        """Return what stands in the table `model` as `parameters`, and what the SQL functions take."""
        return {
            "half_life_days": self.half_life_days,
            "prior_mean": self.prior_mean,
            "prior_weight": self.prior_weight,
            "answer_sd": self.answer_sd,
            **{TOUCHPOINT_MEAN + touchpoint: mean for touchpoint, mean in sorted(self.touchpoint_means.items())},
        }

    @classmethod
    def from_parameters(cls, version: str, source: str, parameters: Mapping[str, float]) -> SatisfactionModel:
        """Return the model of a row of the table `model`. Raises KeyError or ValueError for a row that is none."""
        return cls(
            version=version,
            source=source,
            half_life_days=float(parameters["half_life_days"]),
            prior_mean=float(parameters["prior_mean"]),
            prior_weight=float(parameters["prior_weight"]),
            answer_sd=float(parameters["answer_sd"]),
            touchpoint_means=named(parameters, TOUCHPOINT_MEAN),
        )


#: Assumptions to begin with, not estimates from this company's customers:
#: - half_life_days: a quarter, the horizon that churn is asked for, too; nobody has measured it here.
#: - prior_mean: the American Customer Satisfaction Index of the whole economy, 0 to 100, was 72.8 in 2000; it asks
#:   in another way than a CSAT or NPS question does, so it is a plausible middle, no more.
#: - prior_weight: two answers outweigh it. With σ = 25 it says that customers differ by τ = 25/√2 ≈ 18 points.
#: - answer_sd: one box of five on a CSAT scale. The most that 0 to 100 allows is 50, and answers at random have 35.
DEFAULT = SatisfactionModel(
    version="1",
    source="assumed; the mean after the American Customer Satisfaction Index (72.8 for the U.S. economy in 2000)",
    half_life_days=90.0,
    prior_mean=73.0,
    prior_weight=2.0,
    answer_sd=25.0,
)
