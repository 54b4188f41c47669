"""What is known of a customer beyond the counting of visits, and the features that covariates weigh.

All of it is sums of whole numbers, so that touchpoints can be added in any order, and taken out again. Features:

- help, complaints, failures, bad_answers: ln(1 + n), with n how many there were lately (`evidence.sums`).
- satisfaction: Σ w·a / (1 + Σ w) over answers of weight w, −1 ≤ a ≤ 1 the answer's distance from the middle of its
  scale: their mean, drawn towards the middle by as much as one answer given just now. Bad answers stand beside it,
  since one may weigh more than a good one makes up for.
- falling_use: ln((1 + expected) / (1 + n)), with n the activities lately as of the last one, and `expected` how many
  that would be if the customer's N activities had been spread evenly over their t_x days: with u = ln 2 · t_x /
  half-life, N·(1 − e^(−u))/u. Above 0 if use falls, below 0 if it grows. Silence is what comes after.
- money: ln(1 + mean purchase), in the smallest unit of the currency in which there were most (of equals, the first by
  name): what a purchase is worth, whatever their number, which visits tell.

The same stands in `pipeline/scores/churn/as_of.sql`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import expm1, log, log1p
from typing import NamedTuple

from pipeline.scores.decay import EPOCH_MS, decayed
from pipeline.scores.evidence.sums import MIDDLE, NO_EVIDENCE, Evidence

_LN2 = log(2.0)


class Beyond(NamedTuple):
    """What is known beyond the counting of visits. Nothing of it is there where `seen_at` is 0."""

    evidence: Evidence = NO_EVIDENCE
    #: How many touchpoints count as activity, and the sum of their weights (`decay.weight`).
    activities: int = 0
    activity_weight: int = 0
    #: Purchases with an amount, and what they come to in the smallest unit, by currency.
    payments: Mapping[str, int] = {}
    paid: Mapping[str, int] = {}
    #: The last touchpoint, epoch milliseconds: no amount is asked for as of an earlier moment.
    seen_at: int = 0


class Amounts(NamedTuple):
    """What features are made of: how many there were lately, 0 or more, and means."""

    help: float
    complaints: float
    failures: float
    bad_answers: float
    #: −1 (worst) to 1 (best).
    satisfaction: float
    #: Activities lately, as of the last one, and how many they would be if all were spread evenly.
    recent: float
    expected: float
    #: The mean purchase, in the smallest unit of the currency; 0 without one.
    purchase: float
    #: How many answers there were lately.
    answers: float
    currency: str


NOTHING_BEYOND = Beyond()


def amounts(beyond: Beyond, first_at: int, last_at: int, as_of: int, half_life_ms: int) -> Amounts:
    """Return what is known as of a moment of a customer whose first and last activities were then (all in epoch ms)."""
    at = max(as_of, last_at, beyond.seen_at, EPOCH_MS)
    helped, complaints, failures, bad_answers, answers = [
        _lately(total, at, half_life_ms) for total in beyond.evidence[:5]
    ]
    points = decayed(beyond.evidence.points, at, half_life_ms) / MIDDLE
    currency = main_currency(beyond.payments)
    return Amounts(
        helped,
        complaints,
        failures,
        bad_answers,
        points / (1.0 + answers),
        _lately(beyond.activity_weight, max(last_at, EPOCH_MS), half_life_ms),
        _evenly(beyond.activities, last_at - first_at, half_life_ms),
        max(beyond.paid[currency] / beyond.payments[currency], 0.0) if currency else 0.0,
        answers,
        currency,
    )


def features(known: Amounts) -> tuple[float, ...]:
    """Return the features, in the order of `Covariates`."""
    return (
        log1p(known.help),
        log1p(known.complaints),
        log1p(known.failures),
        log1p(known.bad_answers),
        known.satisfaction,
        log1p(known.expected) - log1p(known.recent),
        log1p(known.purchase),
    )


def main_currency(payments: Mapping[str, int]) -> str:
    """Return the currency of most purchases, of equals the first by name; empty without purchases."""
    currencies = [(-count, currency) for currency, count in payments.items() if count > 0]
    return min(currencies)[1] if currencies else ""


def _lately(total: int, at: int, half_life_ms: int) -> float:
    # A row of before 0009 lacks what came before it, and what is taken out of it can leave less than nothing.
    return decayed(total, at, half_life_ms) if total > 0 else 0.0


def _evenly(activities: int, span_ms: int, half_life_ms: int) -> float:
    if activities <= 0 or span_ms <= 0:
        return float(max(activities, 0))
    u = _LN2 * span_ms / half_life_ms
    return activities * -expm1(-u) / u
