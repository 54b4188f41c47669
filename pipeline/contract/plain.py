"""Touchpoints of many records at once: those in which nothing is unusual, as columns.

The rules are those of `decode` and `validate`, which have the word on every record that is left out here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from fastavro import parse_schema, schemaless_reader
from numpy.typing import NDArray

from pipeline.contract.columns import Branches, Column, Decoded, Fields, Ints, Spans, Symbols, Texts
from pipeline.contract.decode import WORDS, Writer
from pipeline.contract.encode import HEADER_BYTES
from pipeline.contract.validate import (
    AHEAD_MS,
    EARLIEST_MS,
    MAX_KIND,
    MAX_SPAN_MS,
    MAX_TEXT,
    check_amount,
    check_feedback,
)
from pipeline.touchpoint import Feedback

_ATTRIBUTES = parse_schema({"type": "map", "values": "string"})
_CUSTOMER, _ANONYMOUS = b"customer:", b"anonymous:"


class Plain(NamedTuple):
    """Touchpoints, one at each place of the lists; `rows` says which of the values each is.

    Texts are bytes (ASCII). Not yet checked is whether `source`, `event_id` and `customer` hold a NUL, and whether
    `kind` is a word in snake_case. `answers` has the feedback by place, and the attribute that was asked for with it.
    """

    rows: list[int]
    source: list[bytes]
    event_id: list[bytes]
    occurred_at: list[int]
    channel: list[str | None]
    kind: list[bytes]
    stage: list[str | None]
    #: the customer's key
    customer: list[bytes]
    outcome: list[str | None]
    wait_ms: list[int | None]
    duration_ms: list[int | None]
    amount_minor: list[int | None]
    currency: list[str | None]
    answers: dict[int, tuple[Feedback, str]]


def plain(values: Sequence[bytes], writer: Writer, now_ms: int, wanted: str) -> Plain:
    """The plain touchpoints among values of one writer's schema, each longer than its header.

    `wanted` is the attribute to be read of those that give feedback. `now_ms` is the clock, in epoch milliseconds.
    """
    assert writer.layout is not None
    return _Reading(writer.layout.decode(values, HEADER_BYTES)).touchpoints(now_ms, wanted)


class _Reading:
    """The columns of a writer's schema as those of a touchpoint; what turns out to be unusual is struck off `ok`."""

    def __init__(self, decoded: Decoded) -> None:
        self._data, self._ok, self._columns = decoded.data, decoded.plain, decoded.columns

    def touchpoints(self, now_ms: int, wanted: str) -> Plain:
        ok = self._ok
        _, at = self._numbers("occurred_at")
        ok &= (at >= EARLIEST_MS) & (at < now_ms + AHEAD_MS)
        event_id, source, kind = (self._texts(name, most) for name, most in _TEXTS)
        spans = [self._numbers(name) for name in ("wait_ms", "duration_ms")]
        for given, span in spans:
            ok &= ~given | ((span >= 0) & (span <= MAX_SPAN_MS))
        is_known, customer = self._customers()
        money, answers = self._money(), self._answers(wanted)
        rows = np.flatnonzero(ok)
        places = dict(zip(rows.tolist(), range(len(rows)), strict=True)) if money or answers else {}
        amounts: list[int | None] = [None] * len(rows)
        currencies: list[str | None] = [None] * len(rows)
        for row, (amount, currency) in money.items():
            if (place := places.get(row)) is not None:
                amounts[place], currencies[place] = amount, currency
        prefixes = [_CUSTOMER if known else _ANONYMOUS for known in is_known[rows].tolist()]
        return Plain(
            rows=rows.tolist(),
            source=self._cut(source, rows),
            event_id=self._cut(event_id, rows),
            occurred_at=at[rows].tolist(),
            channel=self._words("channel", rows),
            kind=self._cut(kind, rows),
            stage=self._words("stage", rows),
            customer=[prefix + name for prefix, name in zip(prefixes, self._cut(customer, rows), strict=True)],
            outcome=self._words("outcome", rows),
            wait_ms=_optional(rows, *spans[0]),
            duration_ms=_optional(rows, *spans[1]),
            amount_minor=amounts,
            currency=currencies,
            answers={places[row]: answer for row, answer in answers.items() if row in places},
        )

    def _texts(self, name: str, most_bytes: int) -> Texts:
        texts = self._given_texts(name)
        self._ok &= (texts.size > 0) & (texts.size <= most_bytes)
        return texts

    def _customers(self) -> tuple[NDArray[np.bool_], Texts]:
        """Whether each customer is known by number, and the number or pseudonym."""
        known, anonymous = self._given_texts("customer_id"), self._given_texts("anonymous_id")
        is_known = known.size > 0
        sizes = np.where(is_known, known.size, anonymous.size)
        self._ok &= (sizes > 0) & (sizes <= MAX_TEXT - len(_ANONYMOUS))
        return is_known, Texts(np.where(is_known, known.start, anonymous.start), sizes)

    def _money(self) -> dict[int, tuple[int | None, str | None]]:
        has_amount, amounts = self._numbers("amount_minor")
        currencies = self._given_texts("currency")
        found: dict[int, tuple[int | None, str | None]] = {}
        rows = np.flatnonzero(self._ok & (has_amount | (currencies.size >= 0)))
        for row, text in zip(rows.tolist(), self._cut(currencies, rows), strict=True):
            amount = int(amounts[row]) if has_amount[row] else None
            currency = text.decode() if currencies.size[row] >= 0 else None
            if check_amount(amount, currency) is None:
                found[row] = amount, currency
            else:
                self._ok[row] = False
        return found

    def _answers(self, wanted: str) -> dict[int, tuple[Feedback, str]]:
        found: dict[int, tuple[Feedback, str]] = {}
        for which, fields in _leaves(self._columns.get("feedback")):
            assert isinstance(fields, Fields)
            instruments, scores = fields.by_name.get("instrument"), fields.by_name.get("score")
            if not isinstance(instruments, Symbols) or not isinstance(scores, np.ndarray):
                self._ok[which] = False
                continue
            rows = np.arange(len(self._ok))[which].tolist()
            for row, place, score in zip(rows, instruments.place.tolist(), scores.tolist(), strict=True):
                feedback = Feedback(instruments.words[place], score)
                if check_feedback(feedback) is None:
                    found[row] = feedback, self._attribute(row, wanted)
                else:
                    self._ok[row] = False
        return found

    def _attribute(self, row: int, wanted: str) -> str:
        spans = self._columns.get("attributes")
        if not isinstance(spans, Spans):
            self._ok[row] &= spans is None
        elif self._ok[row] and wanted.encode() in (text := self._data[spans.start[row] : spans.end[row]]):
            attributes = schemaless_reader(BytesIO(text), _ATTRIBUTES, None)
            assert isinstance(attributes, dict)
            return str(attributes.get(wanted, ""))
        return ""

    def _numbers(self, name: str) -> tuple[NDArray[np.bool_], Ints]:
        """Who has the number, and the numbers."""
        given, numbers = np.zeros(len(self._ok), np.bool_), np.zeros(len(self._ok), np.int64)
        for which, leaf in _leaves(self._columns.get(name)):
            given[which], numbers[which] = True, leaf
        return given, numbers

    def _given_texts(self, name: str) -> Texts:
        """The texts; those that are null have the size -1."""
        start, size = np.zeros(len(self._ok), np.int64), np.full(len(self._ok), -1)
        for which, leaf in _leaves(self._columns.get(name)):
            assert isinstance(leaf, Texts)
            start[which], size[which] = leaf
        return Texts(start, size)

    def _words(self, name: str, rows: Ints) -> list[str | None]:
        known, default = WORDS[name]
        words: list[str | None] = [default]
        place = np.zeros(len(self._ok), np.int64)
        for which, leaf in _leaves(self._columns.get(name)):
            assert isinstance(leaf, Symbols)
            place[which] = leaf.place + len(words)
            words += [word if word in known else default for word in leaf.words]
        return list(map(words.__getitem__, place[rows].tolist()))

    def _cut(self, texts: Texts, rows: Ints) -> list[bytes]:
        start = texts.start[rows]
        data = self._data
        return [data[a:b] for a, b in zip(start.tolist(), (start + texts.size[rows]).tolist(), strict=True)]


_TEXTS = (("event_id", MAX_TEXT), ("source", MAX_TEXT), ("kind", MAX_KIND))


def _leaves(column: Column) -> Iterator[tuple[Any, Any]]:
    """What a column holds other than null, and where: all of it, or the branches of a union."""
    if isinstance(column, Branches):
        for which, leaf in column.taken:
            if leaf is not None:
                yield which, leaf
    elif column is not None:
        yield slice(None), column


def _optional(rows: Ints, given: NDArray[np.bool_], numbers: Ints) -> list[int | None]:
    found: list[int | None] = [None] * len(rows)
    places = np.flatnonzero(given[rows])
    for place, number in zip(places.tolist(), numbers[rows[places]].tolist(), strict=True):
        found[place] = number
    return found
