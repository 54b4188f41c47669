"""Arrays in Postgres's binary format, read back by its driver."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from fuzz.records import read
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ledger import arrays
from pipeline.ledger.arrays import ArrayType
from pipeline.ledger.moments import ms

_TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"))
_MOMENTS = st.integers(-62_000_000_000_000, 253_402_300_799_999)
_UUIDS = st.uuids().map(str)

_KINDS: dict[str, tuple[ArrayType, st.SearchStrategy[Any]]] = {
    "bigint": (arrays.BIGINT, st.integers(-(2**63), 2**63 - 1)),
    "boolean": (arrays.BOOLEAN, st.booleans()),
    "bytea": (arrays.BYTEA, st.binary()),
    "float8": (arrays.FLOAT8, st.floats(allow_nan=False)),
    "integer": (arrays.INTEGER, st.integers(-(2**31), 2**31 - 1)),
    "moment": (arrays.MOMENT, _MOMENTS),
    "moment or null": (arrays.MOMENT_OR_NULL, st.none() | _MOMENTS),
    "text": (arrays.TEXT, _TEXTS),
    "uuid": (arrays.UUID, _UUIDS),
    "uuid or null": (arrays.UUID_OR_NULL, st.none() | _UUIDS),
}


@pytest.mark.parametrize("name", _KINDS)
@given(st.data())
def test_a_column_is_read_as_it_was_written(name: str, data: st.DataObject) -> None:
    kind, values = _KINDS[name]
    column = tuple(data.draw(st.lists(values)))
    assert tuple(map(_plain, read(kind.array(column)))) == column


@given(st.lists(st.integers()))
def test_a_number_of_any_size_goes_as_text(numbers: list[int]) -> None:
    assert [int(text) for text in read(arrays.NUMERIC.array(numbers))] == numbers
    assert arrays.NUMERIC.sent == "text"


@pytest.mark.parametrize(("kind", "bits"), [(arrays.INTEGER, 32), (arrays.BIGINT, 64)])
def test_a_number_that_does_not_fit_is_an_error_and_no_other_number(kind: ArrayType, bits: int) -> None:
    with pytest.raises(OverflowError):
        kind.array([2**bits])


def _plain(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return str(value)
    return ms(value) if hasattr(value, "timestamp") else value
