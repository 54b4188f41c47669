from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.channels import reading
from pipeline.channels.reading import Line, format_of, json_object, lines, rows
from pipeline.contract.reject import Rejected


def cells(text: bytes, format_name: str = "csv") -> list[tuple[int, list[str] | str]]:
    return [
        (row.line.number, row.cells if isinstance(row.cells, list) else row.cells.detail)
        for row in rows(io.BytesIO(text), format_name)
    ]


@pytest.mark.parametrize(
    ("name", "told"),
    [("a.jsonl", "jsonl"), ("a.NDJSON", "jsonl"), ("a.csv.gz", "csv"), ("a.tsv", "tsv"), ("a.txt", None), ("-", None)],
)
def test_the_extension_tells_the_format(name: str, told: str | None) -> None:
    assert format_of(name) == told


def test_blank_lines_and_a_byte_order_mark_are_passed_over_and_lines_keep_their_numbers() -> None:
    text = b"\xef\xbb\xbfone\r\n\n  \ntwo"
    assert list(lines(io.BytesIO(text))) == [Line(1, b"one\r\n"), Line(4, b"two")]


def test_a_line_beyond_the_limit_is_refused_and_the_next_one_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_LINE_BYTES", 10)
    long, short = lines(io.BytesIO(b'{"a": "' + b"x" * 50 + b'"}\n{"a":1}\n'))
    assert json_object(long) == Rejected("oversized", "the line has more than 10 bytes")
    assert (short.number, json_object(short)) == (2, {"a": 1})


def test_a_row_may_span_lines_within_quotes() -> None:
    assert cells(b'a,b\n1,"two\nlines"\n3,4\n') == [(1, ["a", "b"]), (2, ["1", "two\nlines"]), (4, ["3", "4"])]


def test_a_blank_line_within_quotes_is_part_of_the_cell() -> None:
    assert cells(b'a,b\n1,"two\n\nparagraphs"\n\n3,4\n') == [
        (1, ["a", "b"]),
        (2, ["1", "two\n\nparagraphs"]),
        (6, ["3", "4"]),
    ]


def test_a_quote_that_is_never_closed_costs_its_own_line_only() -> None:
    found = cells(b'a,b\n1,"open\n2,x\n3,y\n')
    assert found == [
        (1, ["a", "b"]),
        (2, "a quote that is opened is not closed as it should be"),
        (3, ["2", "x"]),
        (4, ["3", "y"]),
    ]


def test_a_text_that_is_not_utf_8_costs_its_own_line_only() -> None:
    assert cells(b"a,b\n1,\xff\n2,x\n") == [(1, ["a", "b"]), (2, "a text is not UTF-8"), (3, ["2", "x"])]


def test_tabs_separate_where_the_format_says_so() -> None:
    assert cells(b"a\tb\n1,5\t2\n", "tsv") == [(1, ["a", "b"]), (2, ["1,5", "2"])]


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=2), min_size=1))
def test_what_was_written_as_csv_is_read_again(table: list[list[str]]) -> None:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *table])
    assert [found for _, found in cells(out.getvalue().encode())] == [["a", "b"], *table]


@given(st.binary())
def test_whatever_bytes_come_reading_goes_on_to_the_end(text: bytes) -> None:
    read = [row.line for row in rows(io.BytesIO(text), "csv")]
    assert b"".join(line.raw for line in read) == b"".join(line.raw for line in lines(io.BytesIO(text)))
