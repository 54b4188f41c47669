"""Maximum likelihood: the parameters under which what was seen is most likely, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from pipeline.fitting.histories import Array

#: Step of the second derivatives, in logarithms of parameters.
_STEP = 1e-3


class Maximum(NamedTuple):
    """Parameters, their standard errors (NaN where the data do not tell), and the log-likelihood there."""

    values: Array
    errors: Array
    log_likelihood: float


class NotFitted(ValueError):
    """No parameters were found."""


def maximise(log_likelihood: Callable[[Array], float], starts: Sequence[Sequence[float]]) -> Maximum:
    """Return the best of the maxima that are found from several starts; all parameters are above 0.

    Standard errors are from the second derivatives at the maximum (the observed information). Parameters are searched
    in logarithms. Raises NotFitted when no search ends at a maximum.
    """
    scale = abs(log_likelihood(np.asarray(starts[0], float))) or 1.0

    def loss(logs: Array) -> float:
        with np.errstate(over="ignore", invalid="ignore"):  # far from the maximum
            value = log_likelihood(np.exp(logs))
        return -value / scale if np.isfinite(value) else 1e10

    found = [minimize(loss, np.log(start), method="Nelder-Mead", options=_ROUGH) for start in starts]
    best = min(found, key=lambda result: result.fun)
    fine = minimize(loss, best.x, method="Nelder-Mead", options=_FINE)
    if not fine.success or not np.all(np.isfinite(fine.x)):
        raise NotFitted(f"the search for parameters did not end ({str(fine.message).rstrip('.')})")
    values = np.exp(fine.x)
    return Maximum(values, _errors(loss, fine.x, scale) * values, float(-fine.fun * scale))


_ROUGH = {"xatol": 1e-2, "fatol": 1e-6, "maxiter": 400}
_FINE = {"xatol": 1e-7, "fatol": 1e-13, "maxiter": 2_000}


def _errors(loss: Callable[[Array], float], logs: Array, scale: float) -> Array:
    """Return the standard errors of the logarithms, from central second differences."""
    size = len(logs)
    steps = np.eye(size) * _STEP
    information = np.empty((size, size))
    for i in range(size):
        for j in range(i, size):
            corners = [loss(logs + p * steps[i] + q * steps[j]) for p, q in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
            information[i, j] = information[j, i] = (
                scale * (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * _STEP**2)
            )
    try:
        variances = np.diag(np.linalg.inv(information))
    except np.linalg.LinAlgError:
        return np.full(size, np.nan)
    return np.sqrt(np.where(variances > 0, variances, np.nan))
