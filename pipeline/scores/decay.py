"""Sums that fade: each thing weighs 2^(-age/half-life), added up in whole numbers.

Each is weighed as of a fixed epoch (later ones weigh *more*, by 2^(t/half-life)), so that sums are the same bit for bit
in whatever order things come, and each can be taken out again exactly. Such numbers are long, and end in as many binary
zeros as there are half-lives before the first thing: what is computed or written often leaves these zeros out, and says
how many (`base`). Only `decayed` goes over to floats; its SQL is `decayed` in `pipeline/scores/satisfaction/as_of.sql`.
"""

from __future__ import annotations

from math import exp2
from typing import Final

#: 1990-01-01T00:00:00Z, in epoch milliseconds: things weigh 1 then. No event is older (the contract sees to that).
EPOCH_MS: Final = 631_152_000_000
#: A weight of 1 as a whole number: weights are kept to 32 binary places.
UNIT: Final = 1 << 32
#: 2^52: between this and its double, floats are whole numbers.
_WHOLE: Final = 4_503_599_627_370_496.0


def half_lives(at_ms: int, half_life_ms: int) -> int:
    """Return how many whole half-lives lie between `EPOCH_MS` and a time (epoch ms)."""
    return (at_ms - EPOCH_MS) // half_life_ms


def weight(at_ms: int, half_life_ms: int, base: int = 0) -> int:
    """Return what a thing of that time (epoch ms) weighs as of `EPOCH_MS`, in 2^-32.

    With a `base`, it is as of so many half-lives later. Raises ValueError for a time before that.
    """
    since = at_ms - EPOCH_MS
    whole = since // half_life_ms
    # Adding rounds as `round` does, half to even, without a call.
    rounded = exp2((since - whole * half_life_ms) / half_life_ms) * UNIT + _WHOLE
    return int(rounded - _WHOLE) << (whole - base)


def trailing_zeros(number: int) -> int:
    """Return in how many binary zeros a whole number ends, 0 for 0."""
    return (number & -number).bit_length() - 1 if number else 0


def decayed(total: int, as_of: int, half_life_ms: int) -> float:
    """Return a sum of weights as of a moment (epoch ms, `EPOCH_MS` or later), where a thing of that moment weighs 1."""
    whole, rest = divmod(as_of - EPOCH_MS, half_life_ms)
    # Dividing whole numbers first: the sum itself can be beyond the largest float.
    return total / (1 << whole) / (exp2(rest / half_life_ms) * UNIT)
