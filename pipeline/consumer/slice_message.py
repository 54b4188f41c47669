"""Slices as Faust handles them: each is one message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP

from pipeline.flow.slices import Slice


class SliceMessage:
    """A slice that looks to Faust like one record with the offset of the slice's last record.

    Faust takes several steps of the event loop for each message, which costs far more than the work on an event.
    """

    headers: tuple[()] = ()
    key = None
    checksum = None
    serialized_key_size = -1
    serialized_value_size = -1
    timestamp_type = 1

    def __init__(self, records: Slice) -> None:
        self.slice = records
        self.topic, self.partition = records.place
        self.offset = records.last_offset
        self.timestamp = records.records[-1].timestamp
        #: The messages that arrived together, this one among them; one list for all of them.
        self.round: list[SliceMessage] = []

    @property
    def value(self) -> SliceMessage:
        """Return what the agent gets: the message itself."""
        return self

    def take_round(self) -> list[Slice]:
        """Return this slice and those that arrived with it; only the first message that is asked knows the others."""
        slices = [message.slice for message in self.round] or [self.slice]
        self.round.clear()  # otherwise they would hold each other, and all records, until garbage is collected
        return slices


def slice_scheduler(max_records: int) -> type[DefaultSchedulingStrategy]:
    """Return a scheduling strategy for Faust that delivers slices of up to `max_records` records, not records."""

    class SliceScheduler(DefaultSchedulingStrategy):  # type: ignore[misc]
        def iterate(self, records: Mapping[TP, Slice]) -> Iterator[tuple[TP, SliceMessage]]:
            """Yield a slice of each partition of a fetch, in turn."""
            longest = max([len(fetched.records) for fetched in records.values()], default=0)
            for first in range(0, longest, max_records):
                messages = [
                    SliceMessage(part)
                    for fetched in records.values()
                    if (part := _part(fetched, first, first + max_records)) is not None
                ]
                for message in messages[:]:
                    message.round = messages
                    yield TP(message.topic, message.partition), message

    return SliceScheduler


def _part(fetched: Slice, first: int, end: int) -> Slice | None:
    """Return the records of a fetch from index `first` up to and without `end`, if there are any."""
    records = fetched.records[first:end]
    if not records:
        return None
    return fetched._replace(
        begin=fetched.records[first - 1].offset + 1 if first else fetched.begin,
        end=fetched.end if end >= len(fetched.records) else records[-1].offset + 1,
        records=records,
    )
