"""Admission of the exchange topic: its records are read as messages."""

from __future__ import annotations

from pipeline.flow.exchange import read
from pipeline.flow.slices import Slice
from pipeline.flow.values import AdmittedSlice


def with_messages(admitted: AdmittedSlice, records: Slice, ledger: str) -> AdmittedSlice:
    """Return a partition's admitted slice with the messages of a slice of the exchange topic.

    Messages of other tables than those of the `ledger` with this id are left out: the tables were made anew since.
    Workers alone write this topic. A record that can't be read is a fault of theirs, and raises ValueError.
    """
    read_records = [read(record.key, record.value or b"", ledger) for record in records.records]
    messages = [message for message in read_records if message is not None]
    return admitted._replace(messages=messages, next_exchange_offset=records.end)
