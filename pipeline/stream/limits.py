"""How a worker bounds itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a worker keeps, and how long it waits."""

    #: Customers kept in memory, over all partitions.
    customers: int = 50_000
    #: Seconds without a record after which a partition that has caught up follows the wall clock.
    idle_s: float = 5.0
