"""Slices of records: many decoded at once have to come out as each one alone."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from fuzz.records import WRITERS, Record, value
from fuzz.target import must
from fuzz.touchpoints import NOW_MS

from pipeline import catalogue
from pipeline.flow.admission import Admission
from pipeline.flow.slices import Slice
from pipeline.flow.values import AdmittedSlice
from pipeline.journey import policy

#: So many that each of the three schemas has enough of them to be decoded together.
_RECORDS = 400
_SIZE = struct.Struct(">I")


@contextmanager
def slices() -> Iterator[Slices]:
    """The target."""
    yield Slices()


class Slices:
    """A slice of one partition; what is remembered between slices are answers of pure functions."""

    def __init__(self) -> None:
        self._admission = Admission(catalogue.load(), policy.read(None), 1)

    def make(self, random: Random) -> bytes:
        """The values of a slice, each after its size."""
        return b"".join([_SIZE.pack(len(data)) + data for data in (value(random) for _ in range(_RECORDS))])

    def take(self, data: bytes) -> str:
        """Admit them together, and one by one."""
        records = []
        while data:
            [size] = _SIZE.unpack(data[: _SIZE.size])
            records.append(self._keyed(len(records), data[_SIZE.size : _SIZE.size + size]))
            data = data[_SIZE.size + size :]
        alone = [self._admit([record]) for record in records]
        many = self._admit(records)
        must(many.admitted == [event for each in alone for event in each.admitted], "others are admitted")
        must(many.refused == [refused for each in alone for refused in each.refused], "others are refused")
        must(many.forwarded == [sent for each in alone for sent in each.forwarded], "others are sent on")
        return f"at least {len(many.admitted) // 20 * 20} of {len(records)} admitted"

    def _keyed(self, offset: int, data: bytes) -> Record:
        """A record with the right key, if it has one; each seventh is left with a wrong one."""
        wrong = Record(offset, b"wrong", data)
        sent_on = self._admit([wrong]).forwarded
        return Record(offset, sent_on[0].key, data) if sent_on and offset % 7 else wrong

    def _admit(self, records: list[Record]) -> AdmittedSlice:
        return self._admission.admit([Slice(0, 0, len(records), records)], WRITERS, NOW_MS)[0]
