"""Records of Kafka as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from pipeline.cli import formatting

_A_LINE = 16


def readable(value: bytes | None) -> str:
    """Return the bytes of a key or header: as text if they are UTF-8, else in hex."""
    if value is None:
        return "none"
    try:
        return formatting.printable(value.decode())
    except UnicodeDecodeError:
        return f"0x{value.hex()}"


def decoded_lines(record: Mapping[str, Any]) -> list[str]:
    """Return the lines of a decoded record as indented JSON, without control characters."""
    return [
        formatting.printable(line) for line in orjson.dumps(record, option=orjson.OPT_INDENT_2).decode().split("\n")
    ]


def hex_dump(value: bytes, most: int, more: str) -> Iterator[str]:
    """Return lines of offset, bytes in hex and as ASCII, of at most `most` bytes; `more` says how to see the rest."""
    for start in range(0, min(len(value), most), _A_LINE):
        row = value[start : min(start + _A_LINE, most)]
        ascii_ = "".join([chr(byte) if 32 <= byte < 127 else "." for byte in row])
        yield f"{start:08x}  {row[:8].hex(' '):<23}  {row[8:].hex(' '):<23}  |{ascii_}|"
    if len(value) > most:
        yield f"… {len(value) - most:,} more bytes ({more})"
