"""Fitting what is known beyond the counting of visits: a regularised logistic regression on top of a counting model.

The offset is the logit of the counting model's probability, so that with coefficients of 0 nothing changes. The
features are those of `scores.churn.covariates.Covariates`, as columns of an array in its order, without the intercept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from pipeline.fitting.counting import Counting, comes
from pipeline.fitting.histories import Array, Histories
from pipeline.fitting.maximum import NotFitted
from pipeline.fitting.validation import Outcomes
from pipeline.scores.churn.covariates import LARGEST, NOTHING, Covariates

#: Weight of the squared coefficients of features in units of their standard deviation, as a number of customers.
_RIDGE = 1.0
#: Probabilities are taken for no closer to 0 and 1 than this when their logit is needed.
_CLOSEST = 1e-9


class CovariatesFit(NamedTuple):
    """Coefficients, and their standard errors (NaN for those that were not fitted)."""

    covariates: Covariates
    errors: Sequence[float]


class Foreteller(NamedTuple):
    """A counting model with what is known beyond it."""

    counting: Counting
    covariates: Covariates = NOTHING

    def comes(self, histories: Histories, days: float) -> Array:
        """Return the chance, 0 to 1, that each customer comes within so many days after they were followed."""
        by_visits = comes(histories, self.counting, days)
        if self.covariates == NOTHING:
            return by_visits
        leaves = -_logit(by_visits) + self.covariates.intercept
        leaves += features(histories, self.counting) @ np.asarray(self.covariates[1:])
        return np.asarray(expit(-leaves))


def features(histories: Histories, model: Counting) -> Array:
    """Return the features of each customer, a column for each coefficient but the intercept.

    Those beyond visits are 0 where histories do not know them.
    """
    silence = histories.age - histories.last
    by_visits = np.log1p(histories.repeats * silence / (model.alpha + histories.last))
    beyond = histories.beyond
    if beyond is None:
        beyond = np.zeros((len(histories), len(NOTHING.beyond)))
    return np.column_stack([by_visits, beyond])


def fit(histories: Histories, came: Outcomes, model: Counting, days: float) -> CovariatesFit:
    """Return the covariates that tell best who came within so many days after histories, beside a counting model.

    A feature that is the same for all has the coefficient 0; so has one whose coefficient would be larger than a model
    takes, since it hardly differs. Raises NotFitted when all came, or nobody did, and when that leaves no feature.
    Errors are from the second derivatives at the maximum.
    """
    if came.all() or not came.any():
        raise NotFitted("all customers came, or none did")
    given = features(histories, model)
    offset, left = -_logit(comes(histories, model, days)), ~came
    scale = given.std(axis=0)
    known = scale > 0
    while True:
        coefficients, errors = np.zeros(len(scale) + 1), np.full(len(scale) + 1, np.nan)
        places, by = np.flatnonzero([True, *known]), np.array([1.0, *scale[known]])
        found, found_errors = _maximum(given[:, known] / scale[known], offset, left)
        coefficients[places], errors[places] = found / by, found_errors / by
        too_large = np.abs(coefficients) > LARGEST
        if not too_large.any():
            return CovariatesFit(Covariates(*map(float, coefficients)), errors.tolist())
        known &= ~too_large[1:]
        if too_large[0] or not known.any():
            raise NotFitted(f"a coefficient beyond ±{LARGEST:g} would be needed, so the features hardly differ")


def _maximum(standardised: Array, offset: Array, left: Outcomes) -> tuple[Array, Array]:
    """Return the coefficients of the intercept and of features in units of their deviation, and their errors."""
    columns = np.column_stack([np.ones(len(left)), standardised])
    ridge = np.array([0.0, *[_RIDGE] * standardised.shape[1]])

    def loss(coefficients: Array) -> tuple[float, Array]:
        logits = offset + columns @ coefficients
        penalty = ridge * coefficients
        value = np.sum(np.logaddexp(0.0, logits) - left * logits) + np.sum(penalty * coefficients) / 2
        return float(value), columns.T @ (expit(logits) - left) + penalty

    found = minimize(loss, np.zeros(columns.shape[1]), jac=True, method="BFGS")
    odds = expit(offset + columns @ found.x)
    information = (columns * (odds * (1 - odds))[:, None]).T @ columns + np.diag(ridge)
    return found.x, np.sqrt(np.diag(np.linalg.inv(information)))


def _logit(probabilities: Array) -> Array:
    return np.asarray(logit(np.clip(probabilities, _CLOSEST, 1 - _CLOSEST)))
