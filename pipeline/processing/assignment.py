"""The partitions that are assigned to this worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from pipeline.flow.identity_rows import RestatementRow
from pipeline.flow.state import Partition
from pipeline.identity.correction_log import CorrectionLog
from pipeline.ledger.positions import Position
from pipeline.observe.health import Health
from pipeline.observe.metrics import Metrics

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class AssignedPartition:
    """What a worker knows about a partition that it has taken.

    `position` is the ledger's; `state` may be ahead of it while a commit is under way. `active_at` is when the
    partition last brought records, by the monotonic clock in seconds.
    """

    position: Position
    state: Partition
    active_at: float


class AssignedPartitions(dict[int, AssignedPartition]):
    """Partition → what is known about it. Metrics and health show how many there are.

    `on_drop` is called with each partition that is dropped.
    """

    def __init__(self, metrics: Metrics, health: Health, on_drop: Callable[[int], None]) -> None:
        super().__init__()
        self._metrics, self._health, self._on_drop = metrics, health, on_drop

    def begin(self, position: Position, log: CorrectionLog, waiting: Iterable[RestatementRow]) -> None:
        """Begin with a partition as the ledger has it: its position, its corrections, and what is to be restated."""
        state = Partition(
            position.partition,
            position.next_offset,
            position.watermark,
            position.next_exchange_offset,
            position.commits,
        )
        state.log = log
        state.restatements = {row.key: row for row in waiting}
        self[position.partition] = AssignedPartition(position, state, time.monotonic())

    def keep(self, position: Position) -> bool:
        """Keep what is known about a partition that was taken again, and return True.

        If it is not known, or another worker had it in between, it is dropped.
        """
        known = self.get(position.partition)
        if known is None or known.position._replace(epoch=position.epoch) != position:
            self.drop(position.partition)
            return False
        known.position, known.active_at = position, time.monotonic()
        return True

    def drop(self, number: int) -> None:
        """Forget a partition, if it is assigned."""
        self.pop(number, None)
        self._on_drop(number)
        self._metrics.forget_watermark(number)
        self.show_count()

    def drop_fenced(self, number: int) -> None:
        """Forget a partition that another worker has taken."""
        log.warning("fenced off: another worker has taken the partition", partition=number)
        self._metrics.fenced.inc()
        self.drop(number)

    def show_count(self) -> None:
        """Update metrics and health."""
        self._metrics.assigned.set(len(self))
        self._health.assigned = bool(self)
