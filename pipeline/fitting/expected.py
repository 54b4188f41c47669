"""Fitting what contacts that nobody answered are expected to get, on those that were answered.

A fractional logistic regression (Papke and Wooldridge 1996): the answer, as a share of 100, is foretold by signals,
with the logit of what the touchpoint usually gets as the offset, and a ridge that keeps coefficients small. It is
fitted by the Bernoulli quasi-likelihood; errors are robust (White's), since answers do not scatter as that has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from pipeline.fitting.histories import Array
from pipeline.fitting.maximum import NotFitted
from pipeline.scores.satisfaction.contacts import Signals

#: Weight of the squared coefficients of signals in units of their standard deviation, as a number of answers.
_RIDGE = 1.0
#: Groups of predictions, of equal size, by which calibration is looked at.
_GROUPS = 10
#: Standard deviation of a signal below which it is rounding alone.
_LEAST = 1e-9
#: Means are taken for no closer to 0 and 100 than this when their logit is needed.
_CLOSEST = 1.0


class AnsweredContacts(NamedTuple):
    """Contacts that were answered, in any order: when (days), the score (0 to 100), and signals, a column for each.

    `customers` are whole numbers, `about` those of touchpoints, from 0.
    """

    customers: NDArray[np.int64]
    days: Array
    scores: Array
    about: NDArray[np.int64]
    signals: Array

    def where(self, chosen: NDArray[np.bool_]) -> AnsweredContacts:
        """Return some of them."""
        customers, days, scores, about, signals = self
        return AnsweredContacts(customers[chosen], days[chosen], scores[chosen], about[chosen], signals[chosen])


class ExpectedFit(NamedTuple):
    """The intercept and the coefficients of `Signals`, and their standard errors (NaN for what was not fitted).

    `usual` are the mean signals of each touchpoint, and in the last row those of all contacts.
    """

    intercept: float
    coefficients: Signals
    errors: Sequence[float]
    usual: Array

    def levels(self, means: Array) -> Array:
        """Return the levels of touchpoints that usually get `means` (0 to 100), by number; the last: of all others."""
        known = np.minimum(np.arange(len(means)), len(self.usual) - 1)
        return np.asarray(_offset(means) - self.usual[known] @ np.asarray(self.coefficients))

    def foretell(self, levels: Array, signals: Array) -> Array:
        """Return the expected answers, 0 to 100, of contacts whose touchpoints have these levels."""
        return 100.0 * np.asarray(expit(levels + self.intercept + signals @ np.asarray(self.coefficients)))


def fit(contacts: AnsweredContacts, means: Array) -> ExpectedFit:
    """Return the coefficients by which signals foretell answers; `means` is what touchpoints usually get, by number.

    Signals count as far as they differ from those of other contacts of the touchpoint. Raises NotFitted where they do
    not.
    """
    usual = _usual_signals(contacts, len(means))
    signals = contacts.signals - usual[contacts.about]
    scale = signals.std(axis=0)
    known = scale > _LEAST
    if not known.any():
        raise NotFitted("contacts have no signals that differ")
    columns = np.column_stack([np.ones(len(contacts.scores)), signals[:, known] / scale[known]])
    ridge = np.array([0.0, *[_RIDGE] * int(known.sum())])
    found, errors = _logistic(columns, _offset(means)[contacts.about], contacts.scores / 100, ridge)
    coefficients, by_name = np.zeros(len(scale)), np.full(len(scale), np.nan)
    coefficients[known], by_name[known] = found[1:] / scale[known], errors[1:] / scale[known]
    return ExpectedFit(float(found[0]), Signals(*coefficients.tolist()), [float(errors[0]), *by_name.tolist()], usual)


def _usual_signals(contacts: AnsweredContacts, touchpoints: int) -> Array:
    """Return the mean signals of each touchpoint, or of all contacts where it has none; the last are those of all."""
    whole = contacts.signals.mean(axis=0)
    counts = np.bincount(contacts.about, minlength=touchpoints)[:, None]
    sums = np.stack([np.bincount(contacts.about, signal, touchpoints) for signal in contacts.signals.T], axis=1)
    return np.vstack([np.where(counts > 0, sums / np.maximum(counts, 1), whole), whole])


def calibration(predicted: Array, scores: Array) -> tuple[float, float, float]:
    """Return intercept and slope of the line of answers on the logit of predictions, and the mean gap in points.

    0 and 1 are perfect; a slope below 1 says that predictions are too extreme (Cox 1958). NaN if predictions are all
    the same. The gap is the mean distance between predicted and given means, over ten groups of equal size.
    """
    groups = np.array_split(np.argsort(predicted, kind="stable"), _GROUPS)
    gaps = [abs(float(np.sum(predicted[group] - scores[group]))) for group in groups]
    gap = sum(gaps) / len(scores)
    if np.ptp(predicted) == 0:
        return float("nan"), float("nan"), gap
    columns = np.column_stack([np.ones(len(scores)), _offset(predicted)])
    line, _ = _logistic(columns, np.zeros(len(scores)), scores / 100, np.zeros(2))
    return float(line[0]), float(line[1]), gap


def _offset(means: Array) -> Array:
    return np.asarray(logit(np.clip(means, _CLOSEST, 100 - _CLOSEST) / 100))


def _logistic(columns: Array, offset: Array, shares: Array, ridge: Array) -> tuple[Array, Array]:
    """Return the coefficients of a logistic regression of shares, 0 to 1, and their robust errors."""

    def loss(coefficients: Array) -> tuple[float, Array]:
        z = offset + columns @ coefficients
        penalty = ridge * coefficients
        value = np.sum(np.logaddexp(0.0, z) - shares * z) + np.sum(penalty * coefficients) / 2
        return float(value), columns.T @ (expit(z) - shares) + penalty

    found = minimize(loss, np.zeros(columns.shape[1]), jac=True, method="BFGS").x
    expected = expit(offset + columns @ found)
    bread = np.linalg.inv((columns * (expected * (1 - expected))[:, None]).T @ columns + np.diag(ridge))
    filling = (columns * ((shares - expected) ** 2)[:, None]).T @ columns
    return np.asarray(found), np.sqrt(np.diag(bread @ filling @ bread))
