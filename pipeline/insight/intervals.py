"""Intervals of figures from their samples.

Shares of what is explained are never negative, and drivers explain more of a sample than of what it is drawn from,
since rows that come twice are explained together. So the samples of few rows lie above the figure, and could leave it
outside their own middle 95 %. They are moved by as much as their mean is off: the bootstrap's estimate of bias (Efron
and Tibshirani 1993, An Introduction to the Bootstrap, section 10.2).
"""

from __future__ import annotations

import numpy as np

from pipeline.insight.arrays import Array


def with_interval(samples: Array) -> tuple[float, float, float]:
    """Return a figure, 0 or more, with the ends of its 95 % interval; the figure comes first, then its samples.

    Without samples the ends are the figure itself.
    """
    figure, drawn = float(samples[0]), samples[1:]
    if not len(drawn):
        return figure, figure, figure
    low, high = np.quantile(drawn, (0.025, 0.975)) - (drawn.mean() - figure)
    return figure, min(figure, max(0.0, float(low))), max(figure, float(high))
