"""Admission of the exchange topic: its records are read as messages."""

from __future__ import annotations

from pipeline.flow.exchange import Barrier, Message, read
from pipeline.flow.slices import Slice
from pipeline.flow.values import AdmittedSlice


def with_messages(admitted: AdmittedSlice, records: Slice, ledger: str) -> AdmittedSlice:
    """Return a partition's admitted slice with the messages of a slice of the exchange topic.

    Messages of other tables than those of the `ledger` with this id are left out: the tables were made anew since.
    Workers alone write this topic. A record that can't be read is a fault of theirs, and raises ValueError.
    """
    messages: list[Message] = []
    barriers: list[Barrier] = []
    for record in records.records:
        told = read(record.key, record.value or b"", ledger)
        if isinstance(told, Barrier):
            barriers.append(told)
        elif told is not None:
            messages.append(told)
    return admitted._replace(messages=messages, barriers=barriers, next_exchange_offset=records.end)
