"""Feedback instruments: their scales, and from which answer on somebody counts as satisfied."""

from __future__ import annotations

from typing import NamedTuple


class Scale(NamedTuple):
    """The ends of an instrument's scale, and the least answer that counts as satisfied, all on its own scale.

    Answers above `dissatisfied` and below `satisfied` are neutral, and count as neither, where it is given.
    """

    worst: float
    best: float
    satisfied: float
    source: str
    dissatisfied: float | None = None


SCALES = {
    "csat": Scale(1, 5, 4, "top two of five boxes, the usual CSAT share"),
    "nps": Scale(0, 10, 9, "promoters: Reichheld (2003), The One Number You Need to Grow"),
    "ces": Scale(1, 7, 5, "agrees that it was easy, 5 to 7: Dixon, Toman and DeLisi (2013), CES 2.0"),
    "stars": Scale(1, 5, 4, "four or five stars"),
    "sentiment": Scale(-1, 1, 0.05, "compound score, neutral within ±0.05: Hutto and Gilbert (2014), VADER", -0.05),
}

#: Scores inside are whole thousandths of a point on 0 to 100, so that sums do not depend on the order of adding.
MILLIPOINTS = 100_000


def millipoints(instrument: str, score: float) -> int:
    """Return an answer on the common scale, in thousandths of a point: 0 (worst) to 100,000 (best).

    `score` lies on the instrument's scale (`contract.validate` sees to that).
    """
    scale = SCALES[instrument]
    return round((score - scale.worst) / (scale.best - scale.worst) * MILLIPOINTS)


def is_satisfied(instrument: str, score: float) -> bool | None:
    """Return whether an answer counts as satisfied; None if it is neutral, and counts as neither."""
    scale = SCALES[instrument]
    if score >= scale.satisfied:
        return True
    return None if scale.dissatisfied is not None and score > scale.dissatisfied else False
