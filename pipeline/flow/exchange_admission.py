"""Admission of the exchange topic: its records are read as messages."""

from __future__ import annotations

from pipeline.flow.exchange import read
from pipeline.flow.slices import Slice
from pipeline.flow.values import AdmittedSlice


def admit_messages(records: Slice, next_offset: int, ledger: str) -> AdmittedSlice:
    """Return a slice of the exchange topic as messages; `next_offset` is how far the partition's touchpoints are.

    Messages of other tables than those of the `ledger` with this id are left out: the tables were made anew since.
    Workers alone write this topic. A record that can't be read is a fault of theirs, and raises ValueError.
    """
    read_records = [read(record.key, record.value or b"", ledger) for record in records.records]
    messages = [message for message in read_records if message is not None]
    return AdmittedSlice(records.partition, next_offset, messages=messages, next_exchange_offset=records.end)
