"""Sums that fade: each thing weighs 2^(-age/half-life), added up in whole numbers.

Each is weighed as of a fixed epoch (later ones weigh *more*, by 2^(t/half-life)), so that sums are the same bit for bit
in whatever order things come, and each can be taken out again exactly. Only `decayed` goes over to floats; its SQL is
`decayed` in `pipeline/scores/satisfaction/as_of.sql`.
"""

from __future__ import annotations

from math import exp2

#: 1990-01-01T00:00:00Z, in epoch milliseconds: things weigh 1 then. No event is older (the contract sees to that).
EPOCH_MS = 631_152_000_000
#: A weight of 1 as a whole number: weights are kept to 32 binary places.
UNIT = 1 << 32


def weight(at_ms: int, half_life_ms: int) -> int:
    """Return what a thing of that time (epoch ms) weighs as of `EPOCH_MS`, in 2^-32. Raises ValueError before that."""
    whole, rest = divmod(at_ms - EPOCH_MS, half_life_ms)
    return round(exp2(rest / half_life_ms) * UNIT) << whole


def decayed(total: int, as_of: int, half_life_ms: int) -> float:
    """Return a sum of weights as of a moment (epoch ms, `EPOCH_MS` or later), where a thing of that moment weighs 1."""
    whole, rest = divmod(as_of - EPOCH_MS, half_life_ms)
    # Dividing whole numbers first: the sum itself can be beyond the largest float.
    return total / (1 << whole) / (exp2(rest / half_life_ms) * UNIT)
