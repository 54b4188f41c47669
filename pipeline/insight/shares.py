"""What shares of few say: how many answers an interval needs, and how far two shares differ.

Intervals are Wilson's (`scores.satisfaction.share`), of 95 %.
"""

from __future__ import annotations

from math import ceil, sqrt

from pipeline.scores.satisfaction.share import Z95, Share

_Z95_SQUARED = Z95 * Z95


def answers_needed(share: float, half_width: float) -> int:
    """Return how many answers a 95 % interval of ± `half_width` (0 to 0.5, exclusive) about a share needs; all 0 to 1.

    Half of Wilson's interval is √((p(1 - p) + w/4)·w) / (1 + w) with w = z²/n; this is a quadratic equation in w.
    """
    spread, h_squared = share * (1 - share), half_width * half_width
    # (1/4 - h²)·w² + (p(1 - p) - 2h²)·w - h² = 0, of which one solution is positive.
    a, b = 0.25 - h_squared, spread - 2 * h_squared
    w = (-b + sqrt(b * b + 4 * a * h_squared)) / (2 * a)
    return ceil(_Z95_SQUARED / w - 1e-9)


def of_so_many(needed: int, population: int) -> int:
    """Return how many answers are needed where the interval is to hold for a population of so many alone.

    Finite population correction: n / (1 + (n - 1)/N). Cochran (1977), Sampling Techniques, 3rd edition, section 4.4.
    """
    return min(population, ceil(needed / (1 + (needed - 1) / population) - 1e-9)) if population else 0


def difference(now: Share, before: Share) -> tuple[float, float, float]:
    """Return by how much a share is above another, independent one, with the ends of its 95 % interval; -1 to 1.

    Newcombe (1998), Interval Estimation for the Difference Between Independent Proportions, Statistics in Medicine 17,
    873-890, method 10, from Wilson's intervals of both.
    """
    apart = now.share - before.share
    return (
        apart,
        apart - sqrt((now.share - now.low) ** 2 + (before.high - before.share) ** 2),
        apart + sqrt((now.high - now.share) ** 2 + (before.share - before.low) ** 2),
    )
