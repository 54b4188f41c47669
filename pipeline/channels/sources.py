"""The sources that can be published: touchpoints themselves, or a channel's own records through its adapter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import IO, NamedTuple

from pipeline.channels import bank_calls, branch, call_centre, email, web
from pipeline.channels.fields import Adapter
from pipeline.channels.hashing import with_hashes
from pipeline.channels.reading import Line, json_object, lines, rows
from pipeline.contract.csv_text import columns, from_csv_row
from pipeline.contract.reject import Rejected
from pipeline.contract.text import from_record
from pipeline.errors import InvalidInput
from pipeline.touchpoint import Touchpoint


class Channel(NamedTuple):
    """How a channel's records are read.

    An adapter, the default name of its source, the usual format of its records, their required columns, and whether the
    adapter's second argument is the country of phone numbers without +.
    """

    reader: Callable[..., Adapter]
    source: str
    format: str
    columns: tuple[str, ...] = ()
    takes_country: bool = False


CHANNELS = {
    "web": Channel(web.reader, "web", "jsonl"),
    "email": Channel(email.reader, "mailer", "jsonl"),
    "call-centre": Channel(call_centre.reader, "pbx", "csv", call_centre.COLUMNS, takes_country=True),
    "branch": Channel(branch.reader, "branch-queue", "csv", branch.COLUMNS),
    "bank-calls": Channel(bank_calls.reader, "anonymous-bank", "tsv", bank_calls.COLUMNS),
}


class Read(NamedTuple):
    """A line, and its touchpoints (hashed, not yet validated) or why it is refused."""

    line: Line
    result: Sequence[Touchpoint] | Rejected


def read(file: IO[bytes], format_name: str, country: str | None = None) -> Iterator[Read]:
    """Yield the touchpoints of a file, line by line; `country` is that of plain phone numbers without +.

    Raises InvalidInput when the columns of a CSV file are not a touchpoint's.
    """
    if format_name == "jsonl":
        for line in lines(file):
            record = json_object(line)
            yield Read(line, _one(record if isinstance(record, Rejected) else from_record(record), country))
        return
    table = rows(file, format_name)
    header = _header(table)
    if header is not None:
        layout = columns(header)
        for line, cells in table:
            yield Read(line, _one(cells if isinstance(cells, Rejected) else from_csv_row(layout, cells), country))


def read_channel(
    file: IO[bytes], format_name: str, channel: Channel, source: str | None = None, country: str | None = None
) -> Iterator[Read]:
    """Yield the touchpoints in a channel's own records, line by line.

    `country` is that of phone numbers without +, for a channel that has some. Raises InvalidInput when a CSV file lacks
    columns that the channel's records have.
    """
    name = source or channel.source
    adapter = channel.reader(name, country) if channel.takes_country else channel.reader(name)
    if format_name == "jsonl":
        for line in lines(file):
            record = json_object(line)
            yield Read(line, record if isinstance(record, Rejected) else adapter(record))
        return
    table = rows(file, format_name)
    header = _header(table)
    if header is None:
        return
    if missing := [name for name in channel.columns if name not in header]:
        raise InvalidInput(f"Missing columns: {', '.join(missing)}.")
    for line, cells in table:
        if isinstance(cells, Rejected):
            yield Read(line, cells)
        elif len(cells) != len(header):
            yield Read(line, Rejected("undecodable", f"the row has {len(cells)} cells, the header {len(header)}"))
        else:
            yield Read(line, adapter(dict(zip(header, cells, strict=True))))


def _header(table: Iterator[tuple[Line, list[str] | Rejected]]) -> list[str] | None:
    """Return the names of the columns; None when the file is empty."""
    first = next(table, None)
    if first is None:
        return None
    if isinstance(first[1], Rejected):
        raise InvalidInput(f"The header can't be read: {first[1].detail}.")
    return [name.strip() for name in first[1]]


def _one(touchpoint: Touchpoint | Rejected, country: str | None) -> Sequence[Touchpoint] | Rejected:
    hashed = touchpoint if isinstance(touchpoint, Rejected) else with_hashes(touchpoint, country)
    return hashed if isinstance(hashed, Rejected) else (hashed,)
