"""The partitions that this worker has taken."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from pipeline.flow.state import Partition
from pipeline.ledger.positions import Claim
from pipeline.observe.health import Health
from pipeline.observe.metrics import Metrics
from pipeline.stream.owned import Owned

log = structlog.get_logger()


class Holding(dict[int, Owned]):
    """Partition → what is known of it. Metrics and health show how many there are.

    `forget` is called with each partition that is let go.
    """

    def __init__(self, metrics: Metrics, health: Health, forget: Callable[[int], None]) -> None:
        super().__init__()
        self._metrics, self._health, self._forget = metrics, health, forget

    def adopt(self, claim: Claim) -> Owned:
        """Begin anew with a partition, as the ledger has it."""
        state = Partition(claim.partition, claim.next_offset, claim.watermark)
        owned = self[claim.partition] = Owned(claim, state, time.monotonic())
        return owned

    def drop(self, number: int) -> None:
        """Let go of a partition, if it is held."""
        self.pop(number, None)
        self._forget(number)
        self._metrics.forget(number)
        self.show()

    def fenced_off(self, number: int) -> None:
        """Let go of a partition that somebody else has taken."""
        log.warning("fenced off: another worker has taken the partition", partition=number)
        self._metrics.fenced.inc()
        self.drop(number)

    def show(self) -> None:
        """Tell metrics and health."""
        self._metrics.assigned.set(len(self))
        self._health.assigned = bool(self)
