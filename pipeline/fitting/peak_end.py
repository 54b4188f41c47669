"""Peak and end: whether the worst and the last of what a customer went through foretell more than all of it together.

People remember an episode by its peak and its end (Kahneman, Fredrickson, Schreiber and Redelmeier 1993, Psychological
Science 4, 401–405). The rule that is tested here: with r how far an answer lies above what its touchpoint usually gets,

    next answer = what is foretold of it (`satisfaction.Foretold.at`) + a + p · worst r + q · last r,

where the worst is that of the customer's last `LATEST` answers. a, p and q are found by least squares.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.fitting.histories import Array
from pipeline.fitting.maximum import NotFitted
from pipeline.fitting.satisfaction import Answers, Prior

#: Number of answers before an answer among which the worst one is looked for.
LATEST = 5


class PeakEnd(NamedTuple):
    """The weights a (points), p and q, and their standard errors."""

    weights: Sequence[float]
    errors: Sequence[float]

    def foretell(self, at: Array, memories: Array) -> Array:
        """Return what is expected of answers; `at` is what all of a customer's answers together foretell."""
        return np.asarray(at + memories @ np.asarray(self.weights))


def memories(answers: Answers, prior: Prior) -> Array:
    """Return for each answer 1, the worst and the last of the customer's latest ones before; NaN for the first.

    Both in points above what the touchpoint usually gets.
    """
    above = answers.scores - prior.usual(answers.about)
    worst, last = np.full(len(above), np.nan), np.full(len(above), np.nan)
    for back in range(1, min(LATEST, len(above) - 1) + 1):
        same = np.flatnonzero(answers.customers[back:] == answers.customers[:-back])
        worst[same + back] = np.fmin(worst[same + back], above[same])
        if back == 1:
            last[same + 1] = above[same]
    return np.stack([np.ones(len(above)), worst, last], axis=1)


def fit(memory: Array, at: Array, scores: Array) -> PeakEnd:
    """Return the weights by what answers tell of which some were given before.

    Raises NotFitted where worst and last answers are the same, or too few.
    """
    size, parameters = memory.shape
    if size <= parameters or np.linalg.matrix_rank(memory) < parameters:
        raise NotFitted("too few customers have answered several times")
    weights, _, _, _ = np.linalg.lstsq(memory, scores - at, rcond=None)
    left = scores - at - memory @ weights
    variance = float(left @ left) / (size - parameters)
    errors = np.sqrt(variance * np.diag(np.linalg.inv(memory.T @ memory)))
    return PeakEnd(weights.tolist(), errors.tolist())
