"""Whether partitions tell each other directly, within a worker, rather than through the exchange topic.

What a partition tells another one has to arrive in order. So a partition puts a barrier into the exchange topic after
what it has told by the topic, and keeps what comes after that. Once the barrier has been read on each of the worker's
partitions, nothing is on its way to them any more, and the partition tells them directly from then on.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import structlog

from pipeline.flow.exchange import Barrier
from pipeline.processing.assignment import AssignedPartitions

log = structlog.get_logger(__name__)

#: A barrier that was not read everywhere after so many seconds is given up: the exchange topic is behind.
_WAIT_S = 2.0
#: But not before the partition has made so many commits since, unless it has made none for so many seconds.
_WAIT_COMMITS, _WAIT_WITHOUT_COMMITS_S = 2, 10.0
#: Number of messages that are kept for a barrier at the most.
_MAX_KEPT = 100_000
#: Seconds after a barrier was given up until the next one.
_PAUSE_S = 10.0


@dataclass(slots=True)
class _Waiting:
    """A barrier that is under way: `missing` are the partitions on which it was not read yet."""

    token: str
    missing: set[int]
    since: float
    commits: int = 0


class DirectRoutes:
    """Knows which of the assigned partitions may tell the others directly. `now` is a monotonic clock in seconds.

    After a change of the assigned partitions, all of them begin with a barrier anew.
    """

    def __init__(self, assigned: AssignedPartitions) -> None:
        self._assigned = assigned
        #: The assigned partitions, with their epochs, that all of this is about.
        self._epochs: dict[int, int] = {}
        self._open: set[int] = set()
        self._waiting: dict[int, _Waiting] = {}
        self._paused_until: dict[int, float] = {}

    def targets(self, sender: int) -> Collection[int]:
        """Return the partitions that `sender` does not tell through the exchange topic, but directly or later."""
        self._follow_assignment()
        return self._epochs.keys() if sender in self._open or sender in self._waiting else ()

    def is_open(self, sender: int) -> bool:
        """Return whether what a partition tells others of this worker may be delivered to them directly."""
        self._follow_assignment()
        return sender in self._open

    def barriers(self, sender: int, now: float) -> list[tuple[int, Barrier]]:
        """Return the barriers, one for each partition, that are to follow what a partition tells by the topic now.

        There are none if it has one under way, or tells others directly.
        """
        self._follow_assignment()
        if sender in self._open or sender in self._waiting or now < self._paused_until.get(sender, now):
            return []
        position = self._assigned[sender].position
        token = f"{position.lineage}/{position.epoch}/{position.commits}"
        self._waiting[sender] = _Waiting(token, set(self._epochs), now)
        return [(number, Barrier(sender, token)) for number in self._epochs]

    def note_commit(self, sender: int) -> None:
        """Note that a partition makes a commit."""
        if (waiting := self._waiting.get(sender)) is not None:
            waiting.commits += 1

    def note_read(self, partition: int, barrier: Barrier) -> None:
        """Note that a partition has read a barrier, with all that was before it."""
        self._follow_assignment()
        waiting = self._waiting.get(barrier.sender)
        if waiting is None or waiting.token != barrier.token:
            return
        waiting.missing.discard(partition)
        if not waiting.missing:
            del self._waiting[barrier.sender]
            self._open.add(barrier.sender)
            log.debug("other partitions of this worker are told directly", partition=barrier.sender)

    def give_up(self, sender: int, kept: int, now: float) -> bool:
        """Give up a barrier for which a partition keeps so many messages, if it takes too long; return whether it did.

        The messages go by the topic then.
        """
        waiting = self._waiting.get(sender)
        if waiting is None:
            return False
        waited = now - waiting.since
        is_slow = waited > _WAIT_S and waiting.commits >= _WAIT_COMMITS
        if not (is_slow or waited > _WAIT_WITHOUT_COMMITS_S or kept > _MAX_KEPT):
            return False
        del self._waiting[sender]
        self._paused_until[sender] = now + _PAUSE_S
        return True

    def close(self) -> None:
        """Let all partitions tell by the topic again, until barriers are read anew."""
        self._epochs = {number: assigned.position.epoch for number, assigned in self._assigned.items()}
        self._open.clear()
        self._waiting.clear()
        self._paused_until.clear()

    def _follow_assignment(self) -> None:
        if self._epochs != {number: assigned.position.epoch for number, assigned in self._assigned.items()}:
            self.close()
