"""Salvage: reading as much of a refused record as possible, so that a person can correct it."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import orjson
from fastavro import schemaless_reader

from pipeline.contract.decode import RefusedSchema, Writers
from pipeline.contract.encode import HEADER_BYTES, MAGIC
from pipeline.contract.schema import parse_safely
from pipeline.contract.text import to_record


def salvage(value: bytes | None, writers: Writers) -> dict[str, Any] | None:
    """Return the object that JSON Lines would hold for a refused value; None where nothing can be read.

    It reads more than `decode` accepts: bytes left over after the body, values out of range, JSON instead of Avro, and
    versions of the schema that break the contract, whose fields keep the names that they have there.
    """
    if not value:
        return None
    if value[:1] != MAGIC:
        return _json(value)
    writer = writers.get(value[1:HEADER_BYTES])
    if writer is None:
        return None
    body = BytesIO(value)
    body.seek(HEADER_BYTES)
    try:
        if isinstance(writer, RefusedSchema):
            return _json(orjson.dumps(schemaless_reader(body, parse_safely(writer.text), None)))
        return to_record(writer.touchpoint(schemaless_reader(body, writer.schema, None)))
    except Exception:  # whatever a hostile body makes the decoder raise, nothing can be read of it
        return None


def _json(value: bytes) -> dict[str, Any] | None:
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None
