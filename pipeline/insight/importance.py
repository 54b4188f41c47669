"""How much each driver adds to what is explained, where drivers go together.

Both measures divide R², the explained share of a figure's variance, between the drivers; the parts add up to it:

- Relative weights: Johnson (2000), A Heuristic Method for Estimating the Relative Weight of Predictor Variables in
  Multiple Regression, Multivariate Behavioral Research 35(1), 1-19. Drivers are replaced by the uncorrelated ones that
  are closest to them; what those explain goes to the drivers by how much of each is in them.
- Shapley R²: Lindeman, Merenda and Gold (1980), Introduction to Bivariate and Multivariate Analysis, p. 119; Grömping
  (2006), Relative Importance for Linear Regression in R, Journal of Statistical Software 17(1). What a driver adds to
  R², averaged over all orders in which drivers can be added. It takes all subsets: at most `MOST` drivers.

Arguments are correlation matrices, the last row and column those of the figure, a stack of them at once: arrays of
matrices × (drivers + 1) × (drivers + 1). Results are matrices × drivers, 0 to 1.
"""

from __future__ import annotations

from math import factorial

import numpy as np

from pipeline.insight.arrays import Array

#: Largest number of drivers.
MOST = 12
#: What is left of a driver's variance, when others are known, of less than this is rounding: it adds nothing.
_COLLINEAR = 1e-9


def relative_weights(correlations: Array) -> Array:
    """Return the relative weight of each driver."""
    between, with_figure = correlations[:, :-1, :-1], correlations[:, :-1, -1]
    values, vectors = np.linalg.eigh(between)
    roots = np.sqrt(np.maximum(values, 0.0))
    inverse = np.where(values > _COLLINEAR, 1 / np.maximum(roots, _COLLINEAR), 0.0)
    closest = (vectors * roots[:, None, :]) @ np.swapaxes(vectors, 1, 2)
    explained = (vectors * inverse[:, None, :]) @ (np.swapaxes(vectors, 1, 2) @ with_figure[:, :, None])
    return np.asarray((closest**2 @ explained**2)[:, :, 0])


def shapley(correlations: Array) -> Array:
    """Return the Shapley value of each driver in R². Raises ValueError for more drivers than `MOST`."""
    drivers = correlations.shape[1] - 1
    if drivers > MOST:
        raise ValueError(f"{drivers} drivers; all subsets of more than {MOST} are too many")
    explained = _explained(correlations)
    masks = np.arange(1 << drivers)
    sizes = np.array([bin(mask).count("1") for mask in masks.tolist()])
    shares = np.array([factorial(k) * factorial(drivers - k - 1) / factorial(drivers) for k in range(drivers)])
    found = []
    for driver in range(drivers):
        without = masks[masks & (1 << driver) == 0]
        added = explained[without | (1 << driver)] - explained[without]
        found.append(shares[sizes[without]] @ added)
    return np.array(found).T.reshape(len(correlations), drivers)


def _explained(correlations: Array) -> Array:
    """Return R² of each subset of drivers, a bit each, in each matrix: subsets × matrices."""
    drivers = correlations.shape[1] - 1
    explained = np.zeros((1 << drivers, len(correlations)))

    def extend(mask: int, left: Array, first: int) -> None:
        """Go through subsets that add later drivers to `mask`; `left` is what of these and of the figure it leaves."""
        for place in range(left.shape[1] - 1):
            wider = mask | 1 << (first + place)
            pivot, row = left[:, place, place], left[:, place, place + 1 :]
            share = np.where(pivot > _COLLINEAR, 1 / np.maximum(pivot, _COLLINEAR), 0.0)
            rest = left[:, place + 1 :, place + 1 :] - row[:, :, None] * row[:, None, :] * share[:, None, None]
            explained[wider] = 1.0 - rest[:, -1, -1]
            extend(wider, rest, first + place + 1)

    extend(0, correlations, 0)
    return explained
