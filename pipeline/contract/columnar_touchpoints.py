"""Columnar decoding of touchpoints: those records in which nothing is unusual.

The rules are those of `decode` and `validate`, which decide about every record that is left out here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from fastavro import parse_schema, schemaless_reader
from numpy.typing import NDArray

from pipeline.contract.columnar_avro import Branches, Column, DecodedColumns, Fields, Ints, Spans, Symbols, Texts
from pipeline.contract.columnar_keys import KeyReader
from pipeline.contract.decode import ENUMERATIONS, Writer
from pipeline.contract.encode import HEADER_BYTES
from pipeline.contract.validate import (
    AHEAD_MS,
    EARLIEST_MS,
    LATEST_DUE_MS,
    MAX_KIND,
    MAX_SPAN_MS,
    check_amount,
    check_feedback,
)
from pipeline.touchpoint import MAX_TEXT, Feedback

_ATTRIBUTES = parse_schema({"type": "map", "values": "string"})


class TouchpointColumns(NamedTuple):
    """Touchpoints, one at each index of the lists; `rows` are the indexes of their values.

    Texts are bytes (ASCII). It is not yet checked whether `source`, `event_id` and keys hold a NUL, whether keys name
    somebody, and whether `kind` is in snake_case. `answers` has the feedback by index, with the attribute that was
    asked for.
    """

    rows: list[int]
    source: list[bytes]
    event_id: list[bytes]
    occurred_at: list[int]
    channel: list[str | None]
    kind: list[bytes]
    stage: list[str | None]
    own_key: list[bytes]
    #: The weaker keys that are named besides, by index.
    weaker_keys: dict[int, tuple[str, ...]]
    outcome: list[str | None]
    wait_ms: list[int | None]
    duration_ms: list[int | None]
    amount_minor: list[int | None]
    currency: list[str | None]
    #: By how much it came later than it was due; negative: earlier.
    late_ms: list[int | None]
    begun_by: list[str | None]
    sequence: list[int]
    answers: dict[int, tuple[Feedback, str]]
    #: What it is about, where the event says so, by index.
    subjects: dict[int, str]


def decode_columns(values: Sequence[bytes], writer: Writer, now_ms: int, attribute: str) -> TouchpointColumns:
    """Return the regular touchpoints among values of one writer's schema, each longer than its header.

    `attribute` is the one to be read where there is feedback. `now_ms` is the clock, in epoch milliseconds.
    """
    assert writer.columnar is not None
    return _TouchpointReader(writer.columnar.decode(values, HEADER_BYTES)).touchpoints(now_ms, attribute)


class _TouchpointReader:
    """Turns the columns of a writer's schema into those of a touchpoint; `_ok` says which rows are still regular."""

    def __init__(self, decoded: DecodedColumns) -> None:
        self._data, self._ok, self._columns = decoded.data, decoded.is_regular, decoded.columns

    def touchpoints(self, now_ms: int, attribute: str) -> TouchpointColumns:
        ok = self._ok
        _, at = self._numbers("occurred_at")
        ok &= (at >= EARLIEST_MS) & (at < now_ms + AHEAD_MS)
        event_id, source, kind = (self._texts(name, max_bytes) for name, max_bytes in _TEXTS)
        spans = [self._numbers(name) for name in ("wait_ms", "duration_ms")]
        for given, span in spans:
            ok &= ~given | ((span >= 0) & (span <= MAX_SPAN_MS))
        due_given, due = self._numbers("due_at")
        ok &= ~due_given | ((due >= EARLIEST_MS) & (due <= LATEST_DUE_MS))
        _, sequence = self._numbers("sequence")
        ok &= sequence >= 0
        keys = self._key_reader()
        money, answers, subjects = self._money(), self._answers(attribute), self._subjects()
        rows = np.flatnonzero(ok)
        places = dict(zip(rows.tolist(), range(len(rows)), strict=True)) if money or answers or subjects else {}
        amounts: list[int | None] = [None] * len(rows)
        currencies: list[str | None] = [None] * len(rows)
        for row, (amount, currency) in money.items():
            if (place := places.get(row)) is not None:
                amounts[place], currencies[place] = amount, currency
        own_key, weaker_keys = keys.keys(rows)
        return TouchpointColumns(
            rows=rows.tolist(),
            source=self._cut(source, rows),
            event_id=self._cut(event_id, rows),
            occurred_at=at[rows].tolist(),
            channel=self._symbols("channel", rows),
            kind=self._cut(kind, rows),
            stage=self._symbols("stage", rows),
            own_key=own_key,
            weaker_keys=weaker_keys,
            outcome=self._symbols("outcome", rows),
            wait_ms=_optional(rows, *spans[0]),
            duration_ms=_optional(rows, *spans[1]),
            amount_minor=amounts,
            currency=currencies,
            late_ms=_optional(rows, due_given, at - due),
            begun_by=self._symbols("begun_by", rows),
            sequence=sequence[rows].tolist(),
            answers={places[row]: answer for row, answer in answers.items() if row in places},
            subjects={places[row]: subject for row, subject in subjects.items() if row in places},
        )

    def _texts(self, name: str, max_bytes: int) -> Texts:
        texts = self._optional_texts(name)
        self._ok &= (texts.size > 0) & (texts.size <= max_bytes)
        return texts

    def _key_reader(self) -> KeyReader:
        identifiers = self._columns.get("identifiers")
        if not isinstance(identifiers, Spans):
            self._ok &= identifiers is None
            identifiers = None
        customer, anonymous = self._optional_texts("customer_id"), self._optional_texts("anonymous_id")
        return KeyReader(self._data, self._ok, customer, anonymous, identifiers)

    def _money(self) -> dict[int, tuple[int | None, str | None]]:
        has_amount, amounts = self._numbers("amount_minor")
        currencies = self._optional_texts("currency")
        money: dict[int, tuple[int | None, str | None]] = {}
        rows = np.flatnonzero(self._ok & (has_amount | (currencies.size >= 0)))
        for row, text in zip(rows.tolist(), self._cut(currencies, rows), strict=True):
            amount = int(amounts[row]) if has_amount[row] else None
            currency = text.decode() if currencies.size[row] >= 0 else None
            if check_amount(amount, currency) is None:
                money[row] = amount, currency
            else:
                self._ok[row] = False
        return money

    def _answers(self, attribute: str) -> dict[int, tuple[Feedback, str]]:
        answers: dict[int, tuple[Feedback, str]] = {}
        for which, fields in _leaves(self._columns.get("feedback")):
            assert isinstance(fields, Fields)
            instruments, scores = fields.by_name.get("instrument"), fields.by_name.get("score")
            if not isinstance(instruments, Symbols) or not isinstance(scores, np.ndarray):
                self._ok[which] = False
                continue
            rows = np.arange(len(self._ok))[which].tolist()
            verbatims = self._texts_of(fields.by_name.get("verbatim"), len(rows))
            for place, (row, index, score) in enumerate(
                zip(rows, instruments.place.tolist(), scores.tolist(), strict=True)
            ):
                if not self._ok[row]:
                    continue
                feedback = Feedback(instruments.symbols[index], score, self._text(row, verbatims, place))
                if check_feedback(feedback) is None:
                    answers[row] = feedback, self._attribute(row, attribute)
                else:
                    self._ok[row] = False
        return answers

    def _subjects(self) -> dict[int, str]:
        subjects: dict[int, str] = {}
        texts = self._optional_texts("subject")
        rows = np.flatnonzero(self._ok & (texts.size >= 0))
        for row, text in zip(rows.tolist(), self._cut(texts, rows), strict=True):
            try:
                subjects[row] = text.decode()
            except UnicodeDecodeError:
                self._ok[row] = False
        return subjects

    def _attribute(self, row: int, name: str) -> str:
        spans = self._columns.get("attributes")
        if not isinstance(spans, Spans):
            self._ok[row] &= spans is None
        elif self._ok[row] and name.encode() in (text := self._data[spans.start[row] : spans.end[row]]):
            attributes = schemaless_reader(BytesIO(text), _ATTRIBUTES, None)
            assert isinstance(attributes, dict)
            return str(attributes.get(name, ""))
        return ""

    def _numbers(self, name: str) -> tuple[NDArray[np.bool_], Ints]:
        """Return which rows have the number, and the numbers."""
        given, numbers = np.zeros(len(self._ok), np.bool_), np.zeros(len(self._ok), np.int64)
        for which, leaf in _leaves(self._columns.get(name)):
            given[which], numbers[which] = True, leaf
        return given, numbers

    def _optional_texts(self, name: str) -> Texts:
        return self._texts_of(self._columns.get(name), len(self._ok))

    @staticmethod
    def _texts_of(column: Column, rows: int) -> Texts:
        """Return the texts of a column; those that are null have the size -1."""
        start, size = np.zeros(rows, np.int64), np.full(rows, -1)
        for which, leaf in _leaves(column):
            assert isinstance(leaf, Texts)
            start[which], size[which] = leaf
        return Texts(start, size)

    def _text(self, row: int, texts: Texts, place: int) -> str | None:
        """Return a text of a row, or None; the row is not regular if the text is not UTF-8."""
        start, size = int(texts.start[place]), int(texts.size[place])
        try:
            return None if size < 0 else self._data[start : start + size].decode()
        except UnicodeDecodeError:
            self._ok[row] = False
            return None

    def _symbols(self, name: str, rows: Ints) -> list[str | None]:
        known, default = ENUMERATIONS[name]
        symbols: list[str | None] = [default]
        index = np.zeros(len(self._ok), np.int64)
        for which, leaf in _leaves(self._columns.get(name)):
            assert isinstance(leaf, Symbols)
            index[which] = leaf.place + len(symbols)
            symbols += [symbol if symbol in known else default for symbol in leaf.symbols]
        return list(map(symbols.__getitem__, index[rows].tolist()))

    def _cut(self, texts: Texts, rows: Ints) -> list[bytes]:
        start = texts.start[rows]
        data = self._data
        return [data[a:b] for a, b in zip(start.tolist(), (start + texts.size[rows]).tolist(), strict=True)]


_TEXTS = (("event_id", MAX_TEXT), ("source", MAX_TEXT), ("kind", MAX_KIND))


def _leaves(column: Column) -> Iterator[tuple[Any, Any]]:
    """Yield what a column holds besides null, and for which rows: all of it, or the branches of a union."""
    if isinstance(column, Branches):
        for which, leaf in column.taken:
            if leaf is not None:
                yield which, leaf
    elif column is not None:
        yield slice(None), column


def _optional(rows: Ints, given: NDArray[np.bool_], numbers: Ints) -> list[int | None]:
    values: list[int | None] = [None] * len(rows)
    places = np.flatnonzero(given[rows])
    for place, number in zip(places.tolist(), numbers[rows[places]].tolist(), strict=True):
        values[place] = number
    return values
