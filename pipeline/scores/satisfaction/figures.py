"""The standard figure of each instrument, with an interval of 95 % that holds for few answers.

- CSAT, CES and stars: the share of top boxes (`scales`) with Wilson's interval, and the mean with Student's. Sentiment:
  the share of positive answers among those that are not neutral, and the mean.
- NPS: promoters (9 and 10) less detractors (0 to 6), in points of 100, with the adjusted Wald interval of Bonett and
  Price (2012), Adjusted Wald Confidence Interval for a Difference of Binomial Proportions Based on Paired Data, Journal
  of Educational and Behavioral Statistics 37(4): with one more promoter and one more detractor,

      d ± z·√((p₊ + p₋ − d²) / (n + 2)), where p₊ = (promoters + 1)/(n + 2), p₋ alike, and d = p₊ − p₋.

Student's interval rests on answers that scatter about their mean alike on both sides, which few answers near an end of
the scale do not; it is cut off at the ends of the scale. Answers that are all the same tell nothing of how they
scatter: their mean has no interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import pi, sqrt, tan
from typing import NamedTuple

from pipeline.scales import SCALES
from pipeline.scores.satisfaction.share import Z95, satisfied_share

#: Up to this answer on NPS's scale, customers are detractors.
NPS_DETRACTOR = 6
#: Share of a sum of squares that may be rounding.
_ROUNDING = 1e-12
#: What the standard figure of each instrument is, in words.
STANDARD: Mapping[str, str] = {
    "csat": "share of 4 and 5",
    "nps": "promoters less detractors, in points",
    "ces": "share of 5 to 7",
    "stars": "share of 4 and 5 stars",
    "sentiment": "share positive of those not neutral",
}


class Tally(NamedTuple):
    """The answers on one instrument: how many, satisfied and dissatisfied ones, sums of scores and of their squares.

    Numbers are whole ones, but for weighted answers. Of NPS, `satisfied` are promoters and `dissatisfied` detractors.
    """

    answers: float
    satisfied: float
    dissatisfied: float
    total: float
    squares: float


class Interval(NamedTuple):
    """A figure with the ends of its 95 % interval, which are None where the answers tell nothing of it."""

    value: float
    low: float | None
    high: float | None


class Figures(NamedTuple):
    """An instrument's standard figure, and the mean on its own scale. The figure is None if all answers are neutral.

    Shares are 0 to 1, NPS is -100 to 100.
    """

    standard: Interval | None
    mean: Interval


def figures(instrument: str, tally: Tally) -> Figures:
    """Return the figures of answers on one instrument; there must be at least one."""
    return Figures(standard(instrument, tally), _mean(instrument, tally))


def standard(instrument: str, tally: Tally) -> Interval | None:
    """Return the standard figure alone; None if all answers are neutral."""
    return _net_promoters(tally) if instrument == "nps" else _share(instrument, tally)


def _share(instrument: str, tally: Tally) -> Interval | None:
    is_neutral_left_out = SCALES[instrument].dissatisfied is not None
    of = tally.satisfied + tally.dissatisfied if is_neutral_left_out else tally.answers
    share = satisfied_share(tally.satisfied, of)
    return None if share is None else Interval(*share)


def _net_promoters(tally: Tally) -> Interval:
    n = tally.answers + 2
    promoters, detractors = (tally.satisfied + 1) / n, (tally.dissatisfied + 1) / n
    middle = promoters - detractors
    half = Z95 * sqrt((promoters + detractors - middle * middle) / n)
    net = (tally.satisfied - tally.dissatisfied) / tally.answers
    return Interval(100 * net, 100 * min(net, max(-1.0, middle - half)), 100 * max(net, min(1.0, middle + half)))


def _mean(instrument: str, tally: Tally) -> Interval:
    n, scale = tally.answers, SCALES[instrument]
    mean = tally.total / n
    squares = tally.squares - n * mean * mean
    if n == 1 or squares <= _ROUNDING * tally.squares:
        return Interval(mean, None, None)
    variance = squares / (n - 1)
    half = student_95(n - 1) * sqrt(variance / n)
    return Interval(mean, max(scale.worst, mean - half), min(scale.best, mean + half))


def student_95(freedom: float) -> float:
    """Return below which 97.5 % of Student's distribution with so many degrees of freedom lie; 1 or more.

    Exact for one and two. From three on it is the expansion 26.7.5 of Abramowitz and Stegun (1964), which is off by
    0.004 for three, and by less for more.
    """
    if freedom == 1:
        return tan(pi * 0.475)
    if freedom == 2:
        return 0.95 * sqrt(2 / (4 * 0.975 * 0.025))
    z, n = Z95, float(freedom)
    return (
        z
        + (z**3 + z) / 4 / n
        + (5 * z**5 + 16 * z**3 + 3 * z) / 96 / n**2
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384 / n**3
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160 / n**4
    )
