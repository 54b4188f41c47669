"""Quantiles of what was measured, and of what a Prometheus histogram has kept of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from math import ceil, inf

#: With fewer values than so many beyond a quantile, it says nothing.
_BEYOND = 1


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the value that a share (0 to 1) of the sorted `values` does not exceed; None where there are too few."""
    if len(values) * (1 - share) < _BEYOND:
        return None
    return values[ceil(len(values) * share) - 1]


class Histogram:
    """A histogram by its cumulative buckets: upper bound → how many."""

    def __init__(self, buckets: dict[float, float]) -> None:
        self._buckets = dict(sorted(buckets.items()))

    @classmethod
    def read(cls, name: str, exposed: str) -> Histogram:
        """Return the one called `name`, without labels, in what a server tells Prometheus."""
        found = re.findall(rf'^{name}_bucket\{{le="(\S+)"\}} (\S+)$', exposed, re.MULTILINE)
        return cls({float(bound): float(count) for bound, count in found})

    def since(self, before: Histogram) -> Histogram:
        """Return what has come on top."""
        return Histogram({bound: n - before._buckets.get(bound, 0) for bound, n in self._buckets.items()})

    @property
    def count(self) -> float:
        """Of how many values it is."""
        return self._buckets.get(inf, 0.0)

    def quantile(self, share: float) -> float | None:
        """As histogram_quantile of Prometheus: linear within a bucket; beyond the last bound, that bound."""
        wanted = self.count * share
        if not wanted:
            return None
        for (low, below), (high, up_to) in pairwise([(0.0, 0.0), *self._buckets.items()]):
            if up_to >= wanted:
                return low if high == inf else low + (high - low) * (wanted - below) / (up_to - below)
        return None

    def bucket(self, value: float) -> tuple[float, float]:
        """Return the bounds of the bucket that a value falls into."""
        for low, high in pairwise([0.0, *self._buckets]):
            if value <= high:
                return low, high
        return inf, inf

    def agrees(self, share: float, measured: float) -> bool:
        """Return whether its quantile is no further from the measured one than the bucket there is wide."""
        low, high = self.bucket(measured)
        told = self.quantile(share)
        return told is not None and abs(told - measured) <= high - low
