"""Expected satisfaction of contacts that nobody answered: a logistic model of their signals.

The expected answer, 0 to 100, is

    100 / (1 + exp(−z)),  z = level of the touchpoint + intercept + Σ coefficient · signal,

a fractional logistic regression (Papke and Wooldridge 1996, Journal of Applied Econometrics 11, 619–632). The level is
the logit of what the touchpoint usually gets, less what its usual signals contribute: a touchpoint that always fails
has its failures in its mean already. It is never an answer, nor part of a customer's satisfaction.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from pipeline.scores.parameters import named
from pipeline.scores.satisfaction.contacts import Contact, Signals

#: What the names of a touchpoint's level and usual wait, and of coefficients begin with among the parameters.
LEVEL, USUAL_WAIT, COEFFICIENT = "level:", "usual_wait_ms:", "coefficient_"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedModel:
    """The parameters of what is expected; a row of the table `model`."""

    NAME: ClassVar[str] = "expected_satisfaction"

    version: str
    #: The level of touchpoints that have none of their own.
    level: float
    intercept: float
    coefficients: Signals
    levels: Mapping[str, float]
    usual_waits: Mapping[str, float]

    def expected(self, contact: Contact) -> float:
        """Return the answer that a contact is expected to get, 0 to 100."""
        level = self.levels.get(contact.touchpoint, self.level)
        signals = zip(self.coefficients, contact.signals, strict=True)
        z = level + self.intercept + math.fsum([coefficient * signal for coefficient, signal in signals])
        return 50.0 * (1.0 + math.tanh(z / 2))

    def parameters(self) -> dict[str, float]:
        """Return what stands in the table `model` as `parameters`."""
        return {
            "level": self.level,
            "intercept": self.intercept,
            **{COEFFICIENT + name: value for name, value in self.coefficients._asdict().items()},
            **{LEVEL + name: level for name, level in sorted(self.levels.items())},
            **{USUAL_WAIT + name: wait for name, wait in sorted(self.usual_waits.items())},
        }

    @classmethod
    def from_parameters(cls, version: str, parameters: Mapping[str, float]) -> ExpectedModel:
        """Return the model of a row of the table `model`. Raises KeyError for a row that is none."""
        return cls(
            version=version,
            level=parameters["level"],
            intercept=parameters["intercept"],
            coefficients=Signals(*[parameters[COEFFICIENT + name] for name in Signals._fields]),
            levels=named(parameters, LEVEL),
            usual_waits=named(parameters, USUAL_WAIT),
        )
