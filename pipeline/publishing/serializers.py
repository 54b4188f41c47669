"""Rows as Avro, written column by column from their declarations.

The columns stand in the order of the schema's fields; tests compare every serializer with fastavro's reading. Rows of
one call are written together, which is faster for times and steps (`contract.avro_primitives`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from pipeline.cases.row import StageReached
from pipeline.contract.avro_primitives import NULL, SOME, double, long, optional_long, optional_text, text, times
from pipeline.journey.step import Measures, Step, StepType
from pipeline.journey.steps import AVRO, Steps
from pipeline.rows import (
    BIGINT,
    BOOLEAN,
    CHANNEL_COUNTS,
    FLOAT,
    INTEGER,
    MOMENT,
    REASONS,
    STAGES,
    STEPS,
    TEXT,
    UUID,
    Column,
    Table,
)
from pipeline.scores.reason import Reason

#: Bytes of the values of one column.
_Encode = Callable[[Sequence[Any]], Sequence[bytes]]

_TRUE, _FALSE = b"\1", b"\0"
_END_OF_BLOCKS = b"\0"
#: The sequence 0.
_FIRST = long(0)
_NO_MEASURES = NULL * len(Measures._fields)
#: Number of rows that are written together.
_CHUNK = 1_000
#: Number of texts that are remembered; when there are more, all are forgotten.
_MEMO = 20_000


class RowSerializer:
    """Writes rows of a table as the Avro records of its topic."""

    def __init__(self, table: Table[Any]) -> None:
        self._columns = [(column.name, _encoder(column)) for column in table.published]

    def serialize(self, rows: Iterable[Any]) -> Iterator[bytes]:
        """Yield a record's body for each row."""
        rows = iter(rows)
        while chunk := list(islice(rows, _CHUNK)):
            values = dict(zip(chunk[0]._fields, zip(*chunk, strict=True), strict=True))
            columns = [encode(values[name]) for name, encode in self._columns]
            yield from map(b"".join, zip(*columns, strict=True))


def _texts(values: Sequence[str]) -> list[bytes]:
    return [text(value) for value in values]


def _optional_texts(values: Sequence[str | None]) -> list[bytes]:
    return [optional_text(value) for value in values]


def _longs(values: Sequence[int]) -> list[bytes]:
    return [long(value) for value in values]


def _optional_longs(values: Sequence[int | None]) -> list[bytes]:
    return [optional_long(value) for value in values]


def _doubles(values: Sequence[float]) -> list[bytes]:
    return [double(value) for value in values]


def _optional_doubles(values: Sequence[float | None]) -> list[bytes]:
    return [NULL if value is None else SOME + double(value) for value in values]


def _booleans(values: Sequence[bool]) -> list[bytes]:
    return [_TRUE if value else _FALSE for value in values]


def _enumeration(symbols: Sequence[str]) -> _Encode:
    places = {symbol: long(place) for place, symbol in enumerate(symbols)}
    return lambda values: [places[value] for value in values]


def _channel_counts(values: Sequence[Mapping[str, int]]) -> list[bytes]:
    return [_channel_count(counts) for counts in values]


def _channel_count(counts: Mapping[str, int]) -> bytes:
    if not counts:
        return _END_OF_BLOCKS
    items = [_cached_text(channel) + long(count) for channel, count in counts.items()]
    return long(len(items)) + b"".join(items) + _END_OF_BLOCKS


@lru_cache(_MEMO)
def _cached_text(value: str) -> bytes:
    return text(value)


def _reasons(values: Sequence[tuple[Reason, ...]]) -> list[bytes]:
    return [_reason_list(reasons) for reasons in values]


@lru_cache(_MEMO)
def _reason_list(reasons: tuple[Reason, ...]) -> bytes:
    if not reasons:
        return _END_OF_BLOCKS
    items = [text(reason.code) + text(reason.text) for reason in reasons]
    return long(len(items)) + b"".join(items) + _END_OF_BLOCKS


def _stages(values: Sequence[tuple[StageReached, ...]]) -> list[bytes]:
    return [_stage_array(stages) for stages in values]


def _stage_array(stages: tuple[StageReached, ...]) -> bytes:
    if not stages:
        return _END_OF_BLOCKS
    items = [_cached_text(each.stage) + long(each.at) for each in stages]
    return long(len(items)) + b"".join(items) + _END_OF_BLOCKS


def _steps(values: Sequence[Steps]) -> list[bytes]:
    """Write the steps of several journeys together: those that were not written for an earlier revision."""
    unwritten = [steps.unwritten(AVRO) for steps in values]
    items = iter(_step_items([step for some in unwritten for step in some]))
    return [
        _step_array(steps, b"".join(islice(items, len(some)))) for steps, some in zip(values, unwritten, strict=True)
    ]


def _step_array(steps: Steps, rest: bytes) -> bytes:
    whole: bytes = steps.complete(AVRO, rest)
    return long(len(steps)) + whole + _END_OF_BLOCKS if whole else _END_OF_BLOCKS


def _step_items(steps: Sequence[Step]) -> list[bytes]:
    known = _step_types.get
    return [
        at
        + (known(step.type) or _write_step_type(step.type))
        + _measures(step.measures)
        + (long(step.sequence) if step.sequence else _FIRST)
        + optional_text(step.via)
        + optional_text(step.subject)
        for at, step in zip(times([step.at for step in steps]), steps, strict=True)
    ]


_step_types: dict[StepType, bytes] = {}


def _write_step_type(step_type: StepType) -> bytes:
    if len(_step_types) >= _MEMO:
        _step_types.clear()
    *words, begun_by = step_type
    written = _step_types[step_type] = b"".join([text(word) for word in words]) + optional_text(begun_by)
    return written


def _measures(measures: Measures | None) -> bytes:
    if measures is None:
        return _NO_MEASURES
    return b"".join(
        (
            optional_long(measures.wait_ms),
            optional_long(measures.duration_ms),
            NULL if measures.score is None else SOME + double(measures.score),
            optional_long(measures.amount_minor),
            optional_text(measures.currency),
            optional_long(measures.late_ms),
            optional_text(measures.about),
        )
    )


#: By column type: how values are written, and how where some are None.
_ENCODERS: dict[Any, tuple[_Encode, _Encode | None]] = {
    TEXT: (_texts, _optional_texts),
    UUID: (_texts, _optional_texts),
    INTEGER: (_longs, _optional_longs),
    BIGINT: (_longs, _optional_longs),
    FLOAT: (_doubles, _optional_doubles),
    BOOLEAN: (_booleans, None),
    MOMENT: (times, _optional_longs),
    CHANNEL_COUNTS: (_channel_counts, None),
    STEPS: (_steps, None),
    STAGES: (_stages, None),
    REASONS: (_reasons, None),
}


def _encoder(column: Column) -> _Encode:
    if column.type.symbols:
        return _enumeration(column.type.symbols)
    plain, optional = _ENCODERS[column.type]
    if not column.is_nullable:
        return plain
    assert optional is not None, column
    return optional
