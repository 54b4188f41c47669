"""The share of answers that are satisfied, with the interval in which the true share lies.

Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22: the shares p for which
the observed one lies within z standard errors √(p(1−p)/n). Unlike the textbook interval about the observed share it
stays within 0 and 1, and says something sensible for few answers or unanimous ones.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

#: 97.5 % of the standard normal distribution lie below: 95 % within ± this.
Z95 = 1.959963984540054
_Z95_SQUARED = Z95 * Z95


class Share(NamedTuple):
    """A share with its 95 % interval, 0 to 1 each."""

    share: float
    low: float
    high: float


def satisfied_share(satisfied: float, answers: float) -> Share | None:
    """Of `answers`, the share that was satisfied; None without answers. 0 ≤ satisfied ≤ answers."""
    if answers == 0:
        return None
    share = satisfied / answers
    widen = _Z95_SQUARED / answers
    middle = (share + widen / 2) / (1 + widen)
    half = sqrt((share * (1 - share) + widen / 4) * widen) / (1 + widen)
    # Rounding can put an end a last bit beyond 0 or 1, or on the wrong side of a unanimous share.
    return Share(share, min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)))
