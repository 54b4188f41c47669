"""Drift: whether what a model is applied to still looks like what it was fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.fitting.histories import Array, Histories

#: From this population stability index on, a change is large: Siddiqi (2006), Credit Risk Scorecards, p. 137.
LARGE = 0.25
_GROUPS = 10
#: A share of nothing is taken for this much, so that its logarithm is finite.
_LEAST = 1e-4


class Profile(NamedTuple):
    """How values are spread: the inner edges of groups, in order, and the share of each group, one more."""

    edges: Sequence[float]
    shares: Sequence[float]


def inputs(histories: Histories) -> dict[str, Array]:
    """Return what the counting models see of customers: repeat visits, days of silence, days since the first visit."""
    return {
        "repeat visits": histories.repeats,
        "days of silence": histories.age - histories.last,
        "days since the first visit": histories.age,
    }


def profile(values: Array) -> Profile:
    """Return the profile of values by their tenths; equal values are in one group, so there may be fewer."""
    tenths = np.linspace(0, 1, _GROUPS + 1)[1:-1]
    edges = np.unique(np.quantile(values, tenths, method="inverted_cdf"))
    return Profile(edges.tolist(), _shares(values, edges).tolist())


def stability_index(before: Profile, values: Array) -> float:
    """Return the population stability index, 0 or more: Σ (q − p)·ln(q/p) over groups, p their share before, q now."""
    then = np.maximum(before.shares, _LEAST)
    now = np.maximum(_shares(values, np.asarray(before.edges)), _LEAST)
    return float(np.sum((now - then) * np.log(now / then)))


def _shares(values: Array, edges: Array) -> Array:
    counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
    return np.asarray(counts / max(len(values), 1))
