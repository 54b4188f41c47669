"""Columns of values as arrays in Postgres's binary format (`array_recv`, and each type's own `recv`).

Nothing has to be spelt out and read again, which took a fifth of the database's time when rows came as JSON. Casts of
what comes as text are evaluated row by row, and leave nothing behind: `json_to_recordset` kept all that it had read,
gigabytes a million events.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from struct import Struct
from typing import Any, NamedTuple

import numpy as np
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

#: Milliseconds from 1970 to 2000, when Postgres's timestamps begin.
_EPOCH_2000_MS = 946_684_800_000
_NULL = b"\xff\xff\xff\xff"
#: Of an array with one dimension: dimensions, whether there are nulls, the elements' type; how many, the first's index.
_HEADER = Struct(">iiI")
_DIMENSION = Struct(">ii")
_size = Struct(">i").pack
#: The sizes of most texts, as they are written.
_SIZES = [_size(size) for size in range(1_024)]


class Array(bytes):
    """A parameter whose type is what the statement casts it to."""


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Array) -> Array:
        return obj


psycopg.adapters.register_dumper(Array, _ArrayDumper)


class ArrayType(NamedTuple):
    """How a column's values are sent.

    `sql` is the column's type, `sent` the type that is sent for it and cast; `array` makes an array of the values.
    """

    sql: str
    sent: str
    array: Callable[[Sequence[Any]], Array]


def written(sql: str, write: Callable[[Any], str]) -> ArrayType:
    """Return a type whose values are sent as text, which `write` makes of each; none is null."""

    def array(values: Sequence[Any]) -> Array:
        return _texts(list(map(write, values)))

    return ArrayType(sql, "text", array)


def _oid(name: str) -> int:
    return psycopg.postgres.types[name].oid


def _array(oid: int, count: int, elements: bytes, has_nulls: bool = False) -> Array:
    if not count:
        return Array(_HEADER.pack(0, 0, oid))
    return Array(_HEADER.pack(1, has_nulls, oid) + _DIMENSION.pack(count, 1) + elements)


def _numbers(oid: int, element: np.dtype[Any], values: Any) -> Array:
    """`element` is the format of a number, or of what else has one size, preceded by that size."""
    out = np.empty(len(values), element)
    out["size"] = element["value"].itemsize
    out["value"] = np.asarray(values, element["value"])  # raises OverflowError, where an assignment would wrap around
    return _array(oid, len(values), out.tobytes())


def _element(value: str) -> np.dtype[Any]:
    return np.dtype([("size", ">i4"), ("value", value)])


def _moments(values: Sequence[int]) -> Array:
    """Epoch milliseconds as timestamps."""
    return _numbers(_oid("timestamptz"), _LONG, (np.array(values, np.int64) - _EPOCH_2000_MS) * 1000)


def _moments_or_nulls(values: Sequence[int | None]) -> Array:
    return _or_nulls(
        _oid("timestamptz"), [None if ms is None else _eight_bytes((ms - _EPOCH_2000_MS) * 1000) for ms in values]
    )


def _texts(values: Sequence[str]) -> Array:
    return _of_any_size(_oid("text"), list(map(str.encode, values)))


def _texts_or_nulls(values: Sequence[str | None]) -> Array:
    return _or_nulls(_oid("text"), [None if value is None else value.encode() for value in values])


def _of_any_size(oid: int, values: Sequence[bytes]) -> Array:
    elements = [b""] * (2 * len(values))
    elements[::2] = [_SIZES[size] if size < len(_SIZES) else _size(size) for size in map(len, values)]
    elements[1::2] = values
    return _array(oid, len(values), b"".join(elements))


def _uuids(values: Sequence[str]) -> Array:
    raw = bytes.fromhex("".join(values).replace("-", ""))
    return _numbers(_oid("uuid"), _SIXTEEN, np.frombuffer(raw, _SIXTEEN["value"]))


def _uuids_or_nulls(values: Sequence[str | None]) -> Array:
    return _or_nulls(_oid("uuid"), [None if name is None else bytes.fromhex(name.replace("-", "")) for name in values])


def _or_nulls(oid: int, values: Sequence[bytes | None]) -> Array:
    elements = b"".join([_NULL if value is None else _size(len(value)) + value for value in values])
    return _array(oid, len(values), elements, has_nulls=None in values)


def _longs_or_nulls(values: Sequence[int | None]) -> Array:
    return _or_nulls(_oid("bigint"), [None if value is None else _eight_bytes(value) for value in values])


def _doubles_or_nulls(values: Sequence[float | None]) -> Array:
    return _or_nulls(_oid("float8"), [None if value is None else _double(value) for value in values])


_LONG, _SIXTEEN = _element(">i8"), _element("V16")
_eight_bytes, _double = Struct(">q").pack, Struct(">d").pack

BIGINT = ArrayType("bigint", "bigint", partial(_numbers, _oid("bigint"), _LONG))
BIGINT_OR_NULL = ArrayType("bigint", "bigint", _longs_or_nulls)
BOOLEAN = ArrayType("boolean", "boolean", partial(_numbers, _oid("boolean"), _element("?")))
BYTEA = ArrayType("bytea", "bytea", partial(_of_any_size, _oid("bytea")))
FLOAT8 = ArrayType("float8", "float8", partial(_numbers, _oid("float8"), _element(">f8")))
FLOAT8_OR_NULL = ArrayType("float8", "float8", _doubles_or_nulls)
INTEGER = ArrayType("integer", "integer", partial(_numbers, _oid("integer"), _element(">i4")))
#: Epoch milliseconds.
MOMENT = ArrayType("timestamptz", "timestamptz", _moments)
MOMENT_OR_NULL = ArrayType("timestamptz", "timestamptz", _moments_or_nulls)
NUMERIC = written("numeric", str)
TEXT = ArrayType("text", "text", _texts)
TEXT_OR_NULL = ArrayType("text", "text", _texts_or_nulls)
UUID = ArrayType("uuid", "uuid", _uuids)
UUID_OR_NULL = ArrayType("uuid", "uuid", _uuids_or_nulls)
