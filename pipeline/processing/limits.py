"""The bounds of a worker."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a worker keeps, and how long it waits."""

    #: Number of customers kept in memory, over all partitions.
    customers: int = 50_000
    #: Seconds without a record after which the event time of a partition that has caught up follows the clock.
    idle_s: float = 5.0
