"""Computes the features of what is known of customers beyond visits as of a moment: those of `scores.churn.beyond`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.fitting.histories import Array


class Lately(NamedTuple):
    """Amounts of each customer as of the moment until which they were followed, arrays of one length.

    What happened a half-life before that counts half. `points` are those of answers, −1 (worst) to 1 (best) each.
    `activities` are all there were, over `span` half-lives, the last `silent` half-lives ago; `recent` are those that
    count by their age. `purchase` is the mean purchase in the smallest unit of its currency, 0 without one.
    """

    help: Array
    complaints: Array
    failures: Array
    bad_answers: Array
    answers: Array
    points: Array
    recent: Array
    activities: Array
    span: Array
    silent: Array
    purchase: Array


def features(known: Lately) -> Array:
    """Return a column for each feature, in the order of `Covariates`."""
    u = np.log(2.0) * known.span
    evenly = known.activities * np.divide(-np.expm1(-u), u, out=np.ones_like(u), where=u > 0)
    recent = known.recent * np.exp2(np.minimum(known.silent, 900.0))
    return np.column_stack(
        [
            np.log1p(known.help),
            np.log1p(known.complaints),
            np.log1p(known.failures),
            np.log1p(known.bad_answers),
            known.points / (1.0 + known.answers),
            np.log1p(evenly) - np.log1p(recent),
            np.log1p(known.purchase),
        ]
    )
