"""Removal effects: by how much fewer journeys would convert, by their transitions alone, without a touchpoint.

Journeys are taken for a Markov chain of first order: where one goes next depends on where it is, and on nothing before.
The effect of a touchpoint is 1 - P'/P: P is the chance to get from the start to the conversion, P' the same when
whoever comes to the touchpoint is lost there. Anderl, Becker, von Wangenheim and Schumann (2016), Mapping the Customer
Journey, International Journal of Research in Marketing 33(3), 457-474.

Intervals are from a Poisson bootstrap over journeys (see `cross_products`): the sum of as many draws as journeys took a
path is one draw with that mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.insight.arrays import Array
from pipeline.insight.intervals import with_interval
from pipeline.insight.ways import OTHER

#: An effect of no more than this is rounding.
_ROUNDING = 1e-12


class Removal(NamedTuple):
    """The share of journeys that convert, and removal effects with the ends of their 95 % intervals, all 0 to 1.

    Touchpoints without an effect are left out.
    """

    converting: float
    effects: Sequence[tuple[str, float, float, float]]


class Transitions:
    """Counts of transitions between the touchpoints of paths, once as they are and once for each sample.

    Touchpoints that are not named are one, `OTHER`. Memory: 8 bytes × samples × the square of touchpoints' number.
    """

    def __init__(self, touchpoints: Sequence[str], samples: int, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._places = {name: place for place, name in enumerate([*touchpoints, OTHER])}
        # One more in front for the start, and two behind for the conversion and for the end without one.
        size = len(self._places)
        self._counts = np.zeros((samples + 1, size + 1, size + 2))

    def add(self, path: Sequence[str], is_converted: bool, journeys: int) -> None:
        """Count journeys that took a path, up to the conversion if there was one."""
        times = self._rng.poisson(journeys, len(self._counts)).astype(float)
        times[0] = journeys
        size = len(self._places)
        places = [self._places.get(name, self._places[OTHER]) for name in path]
        sources = [0, *[place + 1 for place in places]]
        targets = [*places, size if is_converted else size + 1]
        for source, target in zip(sources, targets, strict=True):
            self._counts[:, source, target] += times

    def removal(self) -> Removal:
        """Return the removal effects, the largest first; without a converted journey there are none."""
        chances = self._counts / np.maximum(self._counts.sum(axis=2, keepdims=True), 1.0)
        size = len(self._places)
        between, to_conversion = chances[:, :, :size], chances[:, :, size]
        whole = _from_start(between, to_conversion)
        if not whole[0] > 0:
            return Removal(0.0, [])
        known = whole > 0
        effects = []
        for name, place in self._places.items():
            cut = between.copy()
            cut[:, :, place] = 0.0
            effect = 1 - _from_start(cut, to_conversion)[known] / whole[known]
            if effect[0] <= _ROUNDING:
                continue
            effects.append((name, *with_interval(effect)))
        return Removal(float(whole[0]), sorted(effects, key=lambda each: (-each[1], each[0])))


def _from_start(between: Array, to_conversion: Array) -> Array:
    """Return the chance to get from the start to the conversion, in each sample.

    It is what solves p = r + Q·p over the touchpoints: Q are the chances between them, r those to the conversion.
    """
    inner = np.eye(between.shape[2]) - between[:, 1:, :]
    solved = np.linalg.solve(inner, to_conversion[:, 1:, None])[:, :, 0]
    return np.asarray(to_conversion[:, 0] + np.einsum("bi,bi->b", between[:, 0, :], solved))
