"""Lag: how far a partition's processing is behind the end of its log."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

#: A waiting record's age is looked up in the topic only where it may be more than this, in seconds.
_EXACT_FROM_S = 5.0

#: Returns when the first record at or after an offset of a partition was appended (epoch seconds); None if no record is
#: there. Records of transactions that are open, or were aborted, are looked at only if the last argument says so.
FirstAppended = Callable[[int, int, bool], float | None]


class PartitionEnd(NamedTuple):
    """Tells where a partition's log ends, and up to where it can be read; an open transaction holds back the rest."""

    end: int
    readable: int


class Lag(NamedTuple):
    """How far a partition is behind: records, the age of the oldest of them in seconds, and what is held back."""

    records: int = 0
    seconds: float = 0.0
    held_back: int = 0


class LagEstimator:
    """Estimates the lag of partitions from what is known, and asks the topic where that is not enough.

    Times are seconds of Unix time.
    """

    def __init__(self, first_appended: FirstAppended) -> None:
        self._first_appended = first_appended
        self._asked: dict[int, _Answer] = {}
        self._caught_up_at: dict[int, float] = {}

    def estimate(self, partition: int, end: PartitionEnd, next_offset: int, processed_at: float, now: float) -> Lag:
        """Return the lag of a partition; `processed_at` is when its last processed record was appended, or 0.

        The oldest waiting record came after the last processed one, and after the last moment when none was waiting:
        that gives an age that it does not exceed. If it may be old, its own append time counts. Offsets that hold no
        record (markers of transactions, and what was aborted) are no lag where nothing but them is left.
        """
        held_back = max(0, end.end - end.readable)
        records = end.end - next_offset
        if records > 0 and not self._is_known_empty(partition, next_offset, end):
            since = max(processed_at, self._caught_up_at.get(partition, 0.0))
            if now - since > _EXACT_FROM_S or held_back:
                appended = self._appended(partition, next_offset, end)
                if appended is not None:
                    return Lag(records, max(0.0, now - appended), held_back)
            else:
                return Lag(records, max(0.0, now - since), held_back)
        self._caught_up_at[partition] = now
        return Lag(held_back=held_back)

    def forget(self, partition: int) -> None:
        """Forget a partition."""
        self._asked.pop(partition, None)
        self._caught_up_at.pop(partition, None)

    def _is_known_empty(self, partition: int, next_offset: int, end: PartitionEnd) -> bool:
        """Return whether the topic has answered that no record waits between an offset and the end."""
        known = self._asked.get(partition)
        return known is not None and known[:3] == (next_offset, end, None)

    def _appended(self, partition: int, next_offset: int, end: PartitionEnd) -> float | None:
        """Return when the first record that waits was appended; records of aborted transactions wait for nobody."""
        known = self._asked.get(partition)
        if known is not None and known.offset == next_offset and (known.is_committed or known.end == end):
            return known.appended
        appended = self._first_appended(partition, next_offset, False)
        is_committed = appended is not None
        if appended is None and end.readable < end.end:
            appended = self._first_appended(partition, max(next_offset, end.readable), True)
        self._asked[partition] = _Answer(next_offset, end, appended, is_committed)
        return appended


class _Answer(NamedTuple):
    """When the first record from an offset on was appended, None if there was none up to the end; and whether it can
    be read, so that it does not vanish.
    """

    offset: int
    end: PartitionEnd
    appended: float | None
    is_committed: bool
