"""A partition that this worker has taken."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.flow.state import Partition
from pipeline.ledger.positions import Claim


@dataclass(slots=True)
class Owned:
    """What is known of it; `moved_at` is when it last brought records, by the monotonic clock in seconds."""

    claim: Claim
    state: Partition
    moved_at: float
    #: commit → how many journeys of it are not yet published
    unpublished: dict[int, int] = field(default_factory=dict)
