"""Encoding: values to Avro in the Confluent wire format (a zero byte, the schema's id in four bytes, the body)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import fastavro

from pipeline.contract.schema import parse_safely
from pipeline.touchpoint import Touchpoint

#: Larger records are refused without decoding; a touchpoint takes a few hundred bytes.
MAX_RECORD_BYTES = 256 * 1024
MAGIC = b"\0"
HEADER_BYTES = 5


def header(schema_id: int) -> bytes:
    """Return the first bytes of every value; `schema_id` is the registry's."""
    return MAGIC + struct.pack(">I", schema_id)


class Encoder:
    """Encodes records of one schema.

    `schema_id` is the registry's, `text` the schema as registered.
    """

    def __init__(self, schema_id: int, text: str) -> None:
        self._header = header(schema_id)
        self._schema = parse_safely(text)

    def encode(self, record: Mapping[str, Any]) -> bytes:
        """Return the bytes of a record. Raises ValueError or TypeError when it does not fit the schema."""
        out = BytesIO()
        out.write(self._header)
        fastavro.schemaless_writer(out, self._schema, record)
        return out.getvalue()


def touchpoint_record(touchpoint: Touchpoint) -> dict[str, Any]:
    """Return a touchpoint as the mapping that its Avro schema describes."""
    record = touchpoint._asdict()
    record["identifiers"] = [identifier._asdict() for identifier in touchpoint.identifiers]
    if touchpoint.feedback is not None:
        record["feedback"] = touchpoint.feedback._asdict()
    return record
