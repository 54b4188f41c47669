"""What customers are expected to spend within a horizon, and how well that agrees with what they spent.

The formula is that of `scores.churn.value`, for many customers at once. What is foretold of a customer is what they
spend if they stay, less what of that is at risk: (1 − probability) · value.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.fitting.counting import Counting
from pipeline.fitting.histories import Array, Histories
from pipeline.fitting.satisfaction import validate
from pipeline.fitting.spend import Spend, Spending, expected_mean
from pipeline.fitting.validation import Figure, samples_for, with_interval


class Bought(NamedTuple):
    """Purchases of customers up to a moment, how many and what they came to, and what was spent after it.

    Arrays of one length, in the order of the customers' histories.
    """

    purchases: Array
    paid: Array
    spent: Array

    @property
    def spending(self) -> Spending:
        """Return what a purchase came to on average, of those who bought anything."""
        there = (self.purchases > 0) & (self.paid > 0)
        return Spending(self.purchases[there], self.paid[there] / self.purchases[there])


class ValueValidation(NamedTuple):
    """How predictions of what each customer spends agree with what they spent, each figure with its 95 % interval.

    `total` is what was predicted of all together, divided by what they spent; `error` the mean absolute error, in the
    unit of what was spent; `correlation` Spearman's.
    """

    total: Figure
    error: Figure
    correlation: Figure


def bought(
    customers: NDArray[np.int64], at_ms: NDArray[np.int64], amounts: Array, until_ms: int, followed_ms: int
) -> Bought:
    """Return what was bought up to `until_ms` (inclusive), and after it up to `followed_ms`.

    The arrays have an entry for each visit, in any order, with its amount. Customers, and their order, are those of
    `histories.follow`. An amount of 0 or less is no purchase.
    """
    known = np.unique(customers[at_ms <= until_ms])
    places = np.searchsorted(known, customers)
    is_purchase = np.isin(customers, known) & (amounts > 0) & (at_ms <= followed_ms)
    before, after = is_purchase & (at_ms <= until_ms), is_purchase & (at_ms > until_ms)

    def sums(chosen: NDArray[np.bool_], values: Array | None = None) -> Array:
        return np.bincount(places[chosen], values, len(known)).astype(np.float64)

    return Bought(sums(before), sums(before, amounts[before]), sums(after, amounts[after]))


def value_if_stays(histories: Histories, counting: Counting, bought: Bought, spend: Spend, days: float) -> Array:
    """Return what each customer who stays is expected to spend in so many days; see `scores.churn.value`."""
    visits = days * (counting.r + histories.repeats) / (counting.alpha + histories.age)
    mean = bought.paid / np.maximum(bought.purchases, 1)
    a_visit = bought.purchases / (histories.repeats + 1)
    return np.asarray(visits * a_visit * expected_mean(bought.purchases, mean, spend))


def as_so_far(histories: Histories, bought: Bought, days: float, comes: float) -> Array:
    """Return what each customer spends if nothing is known but that a share `comes` of all come within so many days.

    As much as so far, in as many days, times that share; of those who first came less than `days` ago, as much as so
    far in all.
    """
    return np.asarray(bought.paid * days / np.maximum(histories.age, days) * comes)


def validate_value(predicted: Array, spent: Array, seed: int) -> ValueValidation:
    """Return how predictions agree with what was spent; the same seed gives the same intervals."""
    total = with_interval(_ratio, predicted, spent, samples_for(len(spent)), seed)
    return ValueValidation(total, *validate(predicted, spent, np.arange(len(spent)), seed))


def _ratio(predicted: Array, spent: Array) -> float:
    whole = float(spent.sum())
    return float(predicted.sum()) / whole if whole else float("nan")
