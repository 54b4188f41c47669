"""Sums of squares and products of figures, from which correlations follow, with samples for intervals.

Rows come in portions and are not kept, so memory does not grow with them. Intervals are from a Poisson bootstrap: in
each sample a row counts as often as a draw from the Poisson distribution with mean 1 says, which for many rows is the
same as drawing rows with replacement, and needs no second look at them. Chamandy, Muralidharan, Najmi and Naidu (2012),
Estimating Uncertainty for Massive Data Streams, Google technical report.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.insight.arrays import Array

#: A variance of less than this share of the mean square is rounding: the figure does not vary.
_ROUNDING = 1e-12
#: A variance that is never divided by.
_LEAST = 1e-300


class CrossProducts:
    """Sums over rows of some figures, once as they are and once for each sample."""

    def __init__(self, figures: int, samples: int, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._rows = 0
        self._shift: Array | None = None
        # With a leading 1, so that the products hold the counts and sums, too. The first is of the rows as they are.
        self._sums = np.zeros((samples + 1, figures + 1, figures + 1))

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return self._rows

    def add(self, portion: Array) -> None:
        """Add rows: one a row of the portion, one figure a column; all finite."""
        if not len(portion):
            return
        if self._shift is None:
            self._shift = portion.mean(axis=0)  # so that sums of squares do not lose what varies about a large mean
        self._rows += len(portion)
        samples, width, _ = self._sums.shape
        values = np.column_stack([np.ones(len(portion)), portion - self._shift])
        upper = np.triu_indices(width)
        products = values[:, upper[0]] * values[:, upper[1]]
        times = self._rng.poisson(1.0, (samples, len(portion))).astype(float)
        times[0] = 1.0
        sums = times @ products
        self._sums[:, upper[0], upper[1]] += sums
        off = upper[0] != upper[1]
        self._sums[:, upper[1][off], upper[0][off]] += sums[:, off]

    def means(self) -> Array:
        """Return the mean of each figure; there must be a row."""
        assert self._shift is not None
        whole = self._sums[0]
        return np.asarray(self._shift + whole[0, 1:] / whole[0, 0])

    def varying(self) -> NDArray[np.bool_]:
        """Return which figures vary."""
        squares = np.diagonal(self._sums[0])[1:]
        return np.asarray(np.diagonal(self._centred()[0]) > _LEAST + _ROUNDING * squares)

    def correlations(self, figures: Array) -> Array:
        """Return the correlations of some figures (by number): of the rows, then of each sample.

        A figure that does not vary in a sample correlates with nothing there.
        """
        chosen = self._centred()[:, figures[:, None], figures[None, :]]
        variances = np.diagonal(chosen, axis1=1, axis2=2)
        least = _LEAST + _ROUNDING * np.diagonal(self._sums, axis1=1, axis2=2)[:, figures + 1]
        scale = np.where(variances > least, 1 / np.sqrt(np.maximum(variances, least)), 0.0)
        found = chosen * scale[:, :, None] * scale[:, None, :]
        each = np.arange(len(figures))
        found[:, each, each] = 1.0
        return np.asarray(np.clip(found, -1.0, 1.0))

    def _centred(self) -> Array:
        """Return sums of products about the mean."""
        counts = np.maximum(self._sums[:, 0, 0], 1.0)
        sums = self._sums[:, 0, 1:]
        return np.asarray(self._sums[:, 1:, 1:] - sums[:, :, None] * sums[:, None, :] / counts[:, None, None])
