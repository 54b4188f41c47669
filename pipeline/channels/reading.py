"""Reads JSON Lines and CSV files, plain or gzipped, line by line, with line numbers."""

from __future__ import annotations

import csv
import gzip
import sys
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, NamedTuple, cast

import orjson

from pipeline.contract.reject import Rejected
from pipeline.errors import InvalidInput

FORMATS = ("jsonl", "csv", "tsv")
_BY_EXTENSION = {"jsonl": "jsonl", "ndjson": "jsonl", "json": "jsonl", "csv": "csv", "tsv": "tsv"}
_DELIMITERS = {"csv": ",", "tsv": "\t"}
#: A longer line is refused, and not kept in memory.
MAX_LINE_BYTES = 4 * 1024 * 1024


class Line(NamedTuple):
    """One line (a CSV row may span several): its number from 1, and its bytes, cut at MAX_LINE_BYTES."""

    number: int
    raw: bytes


class Row(NamedTuple):
    """A line of CSV and its cells, or why they can't be read."""

    line: Line
    cells: list[str] | Rejected


def format_of(name: str) -> str | None:
    """Return the format by a file's extension (before .gz); None for an unknown one."""
    return _BY_EXTENSION.get(name.lower().removesuffix(".gz").rpartition(".")[2])


@contextmanager
def opened(name: str) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Open a file (`-` is standard input); also return the file whose position shows the progress.

    Raises InvalidInput when it can't be opened, or turns out to be broken while it is read.
    """
    try:
        if name == "-":
            yield sys.stdin.buffer, sys.stdin.buffer
            return
        with open(name, "rb") as raw:  # noqa: PTH123 - a name, as it was given
            if name.lower().endswith(".gz"):
                with gzip.open(raw) as unpacked:
                    yield cast(IO[bytes], unpacked), raw
            else:
                yield raw, raw
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise InvalidInput(f"{name} can't be read: {getattr(error, 'strerror', None) or error}") from None


def lines(file: IO[bytes]) -> Iterator[Line]:
    """Yield the lines of a file that are not blank; a byte order mark is skipped."""
    return (line for line in _all_lines(file) if not _is_blank(line))


def _is_blank(line: Line) -> bool:
    return not line.raw or line.raw.isspace()


def _all_lines(file: IO[bytes]) -> Iterator[Line]:
    number = 0
    while raw := file.readline(MAX_LINE_BYTES):
        number += 1
        if not raw.endswith(b"\n"):
            while (rest := file.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        yield Line(number, raw)


def json_object(line: Line) -> dict[str, Any] | Rejected:
    """Return a line's JSON object, or why there is none."""
    if len(line.raw) >= MAX_LINE_BYTES:
        return Rejected("oversized", f"the line has more than {MAX_LINE_BYTES:,} bytes")
    try:
        record = orjson.loads(line.raw)
    except orjson.JSONDecodeError as error:
        return Rejected("undecodable", f"not JSON: {error}")
    return record if isinstance(record, dict) else Rejected("undecodable", "not a JSON object")


def rows(file: IO[bytes], format_name: str) -> Iterator[Row]:
    """Yield the rows of a CSV (RFC 4180, UTF-8) or TSV file, the header first.

    A quote that is never closed spoils its own line only: the lines that it swallowed are read again, one by one.
    """
    waiting: deque[Line] = deque()
    source = _all_lines(file)  # a blank line may stand within quotes
    width = 0
    while (first := waiting.popleft() if waiting else next(source, None)) is not None:
        if _is_blank(first):
            continue
        taken = [first]

        def feed(taken: list[Line] = taken) -> Iterator[str]:
            yield _decoded(taken[0])
            while (line := waiting.popleft() if waiting else next(source, None)) is not None:
                taken.append(line)
                yield _decoded(line)

        cells = _cells(feed(), format_name)
        spoilt = isinstance(cells, Rejected) or (width and len(cells) != width)
        if spoilt and len(taken) > 1:
            waiting.extendleft(reversed(taken[1:]))
            taken, cells = taken[:1], Rejected("undecodable", "a quote that is opened is not closed as it should be")
        if not isinstance(cells, Rejected) and any("\udc80" <= c <= "\udcff" for cell in cells for c in cell):
            cells = Rejected("undecodable", "a text is not UTF-8")
        if not width and not isinstance(cells, Rejected):
            width = len(cells)
        yield Row(Line(first.number, b"".join(line.raw for line in taken)), cells)


def _cells(text: Iterator[str], format_name: str) -> list[str] | Rejected:
    try:
        return next(csv.reader(text, delimiter=_DELIMITERS[format_name], strict=True))
    except csv.Error as error:
        return Rejected("undecodable", f"not CSV: {error}")


def _decoded(line: Line) -> str:
    return line.raw.decode("utf-8", "surrogateescape")
