"""Columnar decoding of Avro: many records at once, field by field, with numpy.

The result says where each record's fields stand, and what its numbers are. A record is *regular* when it follows its
schema to the last byte, all of its texts are ASCII, and it has no unusual size or number. Records that are not regular
have to be decoded one by one, which also tells what is wrong with them. So there are no errors here. A touchpoint is
decoded in about a tenth of the time that fastavro takes (docs/performance.md).

All records of a call have the same writer's schema. The format: Avro 1.11 specification, "Binary Encoding".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]

#: A record with a longer text, or with an array or map of more items, is not regular.
_MAX_BYTES = 1 << 20
_MAX_ITEMS = 32
#: A number with more bytes does not fit into 63 bits.
_VARINT_BYTES = 9


class Texts(NamedTuple):
    """A field of texts: where each begins in the joined values, and its length in bytes."""

    start: Ints
    size: Ints


class Spans(NamedTuple):
    """A field of arrays or maps: where each begins and ends in the joined values.

    `items` has for the first, second, … item the records that have so many, and their columns: of an array one, of a
    map two.
    """

    start: Ints
    end: Ints
    items: Sequence[tuple[Ints, Sequence[Any]]]


class Branches(NamedTuple):
    """A field of a union: for each branch that is taken, the records that take it, and its column."""

    taken: list[tuple[Ints, Any]]


class Symbols(NamedTuple):
    """A field of an enumeration: each record's place among the symbols, and the symbols."""

    place: Ints
    symbols: Sequence[str]


class Fields(NamedTuple):
    """A record within the record."""

    by_name: dict[str, Any]


#: Numbers and booleans are arrays; null has no column.
Column: TypeAlias = "NDArray[Any] | Texts | Symbols | Spans | Branches | Fields | None"


class DecodedColumns(NamedTuple):
    """The joined values, which of the records are regular, and the columns; for other records they hold anything."""

    data: bytes
    is_regular: NDArray[np.bool_]
    columns: dict[str, Column]


class _Rows:
    """A reading position in each of several records."""

    __slots__ = ("buffer", "high", "ok", "pos")

    def __init__(self, buffer: NDArray[np.uint8], pos: Ints) -> None:
        self.buffer, self.pos = buffer, pos
        self.ok = np.ones(len(pos), np.bool_)
        #: Number of bytes of 0x80 and above that belong to numbers, and so not to texts.
        self.high = np.zeros(len(pos), np.int64)

    def only(self, which: Ints) -> _Rows:
        """Return some of the rows; `join` puts them back."""
        return _Rows(self.buffer, self.pos[which])

    def join(self, which: Ints, part: _Rows) -> None:
        """Continue some of the rows where `part` has stopped."""
        self.pos[which] = part.pos
        self.ok[which] &= part.ok
        self.high[which] += part.high

    def bytes_at(self, offset: int = 0) -> NDArray[np.uint8]:
        """Return the byte at each position; beyond the end the last one."""
        return self.buffer.take(self.pos + offset, mode="clip")

    def varints(self) -> Ints:
        """Read a number in each row: zig-zag, variable length."""
        byte = self.bytes_at()
        self.pos += 1
        value = (byte & 0x7F).astype(np.int64)
        more = byte >> 7
        if more.any():
            self._rest(value, more.astype(np.bool_))
        return (value >> 1) ^ -(value & 1)

    def _rest(self, value: Ints, more: NDArray[np.bool_]) -> None:
        """Add the further bytes of those numbers that have some to `value`."""
        for digit in range(1, _VARINT_BYTES):
            self.high += more
            if more.all():
                byte = self.bytes_at()
                self.pos += 1
                value |= (byte & 0x7F).astype(np.int64) << (7 * digit)
                more = byte >= 0x80
            else:
                which = np.flatnonzero(more)
                byte = self.buffer.take(self.pos[which], mode="clip")
                self.pos[which] += 1
                value[which] |= (byte & 0x7F).astype(np.int64) << (7 * digit)
                more = np.zeros(len(more), np.bool_)
                more[which] = byte >= 0x80
            if not more.any():
                return
        self.ok &= ~more

    def skip(self, sizes: Ints) -> None:
        """Skip this many bytes; a record with an impossible size is not regular."""
        fits = (sizes >= 0) & (sizes <= _MAX_BYTES)
        if not fits.all():
            self.ok &= fits
            sizes = np.where(fits, sizes, 0)
        self.pos += sizes

    def floats(self, kind: str, size: int) -> NDArray[np.float64]:
        """Read numbers of four or eight bytes, little-endian."""
        raw = np.stack([self.bytes_at(offset) for offset in range(size)], axis=1)
        self.pos += size
        self.high += (raw >> 7).sum(axis=1, dtype=np.int64)
        return raw.view(kind).reshape(len(raw)).astype(np.float64)


_Read: TypeAlias = Callable[[_Rows], Any]


class ColumnarReader:
    """Reads records of one schema. Raises NotImplementedError for a schema with a type that it does not read."""

    def __init__(self, schema: Any) -> None:
        self._fields = [(field["name"], _reader(field["type"])) for field in schema["fields"]]

    def decode(self, values: Sequence[bytes], header_bytes: int) -> DecodedColumns:
        """Read values that begin with a header of `header_bytes` bytes; each value must be longer than that."""
        data = b"".join(values)
        sizes = np.fromiter(map(len, values), np.int64, len(values))
        ends = np.cumsum(sizes)
        starts = ends - sizes
        buffer = np.frombuffer(data, np.uint8)
        rows = _Rows(buffer, starts + header_bytes)
        columns = {name: read(rows) for name, read in self._fields}
        high = np.add.reduceat(buffer >> 7, starts, dtype=np.int64)
        in_header = sum((buffer[starts + offset] >> 7).astype(np.int64) for offset in range(header_bytes))
        return DecodedColumns(data, rows.ok & (rows.pos == ends) & (high == rows.high + in_header), columns)


def _reader(schema: Any) -> _Read:
    if isinstance(schema, list):
        return _union([_reader(branch) for branch in schema])
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "record":
        return _record([(field["name"], _reader(field["type"])) for field in schema["fields"]])
    if kind == "enum":
        return _enum(schema["symbols"])
    if kind == "array":
        return _blocks([_reader(schema["items"])])
    if kind == "map":
        return _blocks([_texts, _reader(schema["values"])])
    if isinstance(kind, str) and kind in _PRIMITIVES:
        return _PRIMITIVES[kind]
    raise NotImplementedError(str(kind))


def _texts(rows: _Rows) -> Texts:
    sizes = rows.varints()
    start = rows.pos.copy()
    rows.skip(sizes)
    return Texts(start, sizes)


def _booleans(rows: _Rows) -> NDArray[np.bool_]:
    byte = rows.bytes_at()
    rows.pos += 1
    rows.ok &= byte <= 1
    return byte.astype(np.bool_)


_PRIMITIVES: dict[str, _Read] = {
    "null": lambda _rows: None,
    "boolean": _booleans,
    "int": lambda rows: rows.varints(),
    "long": lambda rows: rows.varints(),
    "float": lambda rows: rows.floats("<f4", 4),
    "double": lambda rows: rows.floats("<f8", 8),
    "string": _texts,
}


def _enum(symbols: Sequence[str]) -> _Read:
    def read(rows: _Rows) -> Symbols:
        index = rows.varints()
        fits = (index >= 0) & (index < len(symbols))
        if not fits.all():
            rows.ok &= fits
            index[~fits] = 0
        return Symbols(index, symbols)

    return read


def _record(fields: list[tuple[str, _Read]]) -> _Read:
    return lambda rows: Fields({name: read(rows) for name, read in fields})


def _union(branches: list[_Read]) -> _Read:
    def read(rows: _Rows) -> Branches:
        taken = rows.varints()
        rows.ok &= (taken >= 0) & (taken < len(branches))
        columns = []
        for number, branch in enumerate(branches):
            which = np.flatnonzero(taken == number)
            if len(which) == len(taken):
                columns.append((which, branch(rows)))
            elif len(which):
                part = rows.only(which)
                columns.append((which, branch(part)))
                rows.join(which, part)
        return Branches(columns)

    return read


def _blocks(item: list[_Read]) -> _Read:
    def read(rows: _Rows) -> Spans:
        start = rows.pos.copy()
        left = rows.varints()
        items = []
        for _ in range(_MAX_ITEMS):
            which = np.flatnonzero(left > 0)
            if not len(which):
                break
            part = rows.only(which)
            items.append((which, [each(part) for each in item]))
            left[which] -= 1
            ended = np.flatnonzero(left[which] == 0)
            after = part.only(ended)
            left[which[ended]] = after.varints()
            part.join(ended, after)
            rows.join(which, part)
        rows.ok &= left == 0  # there are more items, or the block says its size
        return Spans(start, rows.pos.copy(), items)

    return read
