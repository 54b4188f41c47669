"""Drift: whether what a model is applied to still looks like what it was fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.fitting.expected import AnsweredContacts
from pipeline.fitting.histories import Array, Histories
from pipeline.fitting.satisfaction import Answers, Prior
from pipeline.scores.churn.covariates import OF_VISITS, Covariates
from pipeline.scores.satisfaction.contacts import Signals

#: From this population stability index on, a change is large: Siddiqi (2006), Credit Risk Scorecards, p. 137.
LARGE = 0.25
_GROUPS = 10
#: What the features beyond visits are called, in their order.
BEYOND = tuple([name.replace("_", " ") for name in Covariates._fields[OF_VISITS:]])
#: A share of nothing is taken for this much, so that its logarithm is finite.
_LEAST = 1e-4


class Profile(NamedTuple):
    """How values are spread: the inner edges of groups, in order, and the share of each group, one more.

    `size` is the number of values, 0 where it was not kept.
    """

    edges: Sequence[float]
    shares: Sequence[float]
    size: int = 0


def inputs(histories: Histories) -> dict[str, Array]:
    """Return what the churn model sees of customers: visits, and the features beyond them if histories know them."""
    beyond = () if histories.beyond is None else histories.beyond.T
    return {
        "repeat visits": histories.repeats,
        "days of silence": histories.age - histories.last,
        "days since the first visit": histories.age,
        **dict(zip(BEYOND, beyond, strict=False)),
    }


def inputs_of_answers(answers: Answers, prior: Prior, chosen: NDArray[np.bool_]) -> dict[str, Array]:
    """Return what the satisfaction model goes by when it foretells the answers that are chosen.

    Each has one of the same customer before it.
    """
    usual = prior.usual(answers.about)
    return {
        "usual score of the touchpoint": usual[chosen],
        "points above usual in the answer before": np.roll(answers.scores - usual, 1)[chosen],
        "days since the answer before": np.diff(answers.days, prepend=np.nan)[chosen],
    }


def inputs_of_contacts(levels: Array, contacts: AnsweredContacts) -> dict[str, Array]:
    """Return what the model of expected satisfaction sees of contacts: their touchpoints' levels, and their signals."""
    return {"level of the touchpoint": levels, **dict(zip(Signals._fields, contacts.signals.T, strict=True))}


def profile(values: Array) -> Profile:
    """Return the profile of values by their tenths; equal values are in one group, so there may be fewer."""
    tenths = np.linspace(0, 1, _GROUPS + 1)[1:-1]
    edges = np.unique(np.quantile(values, tenths, method="inverted_cdf"))
    return Profile(edges.tolist(), _shares(values, edges).tolist(), len(values))


def stability_index(before: Profile, values: Array) -> float:
    """Return the population stability index, 0 or more: Σ (q − p)·ln(q/p) over groups, p their share before, q now.

    Less what chance alone makes of it, on average, where nothing has moved: (groups − 1)·(1/m + 1/n) for m values
    before and n now. Yurdakul and Naranjo (2020), Statistical properties of the population stability index, Journal of
    Risk Model Validation 14(4).
    """
    then = np.maximum(before.shares, _LEAST)
    now = np.maximum(_shares(values, np.asarray(before.edges)), _LEAST)
    by_chance = (np.count_nonzero(before.shares) - 1) * sum([1 / size for size in (before.size, len(values)) if size])
    return max(0.0, float(np.sum((now - then) * np.log(now / then)) - by_chance))


def _shares(values: Array, edges: Array) -> Array:
    counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
    return np.asarray(counts / max(len(values), 1))
