"""Decoding: bytes to touchpoints, each by its writer's schema, so that old and new versions are read side by side."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO
from operator import itemgetter
from typing import Any, NamedTuple

from fastavro import schemaless_reader

from pipeline.contract.columnar_avro import ColumnarReader
from pipeline.contract.encode import HEADER_BYTES, MAGIC, MAX_RECORD_BYTES
from pipeline.contract.identifiers import lower_hashes
from pipeline.contract.reject import Rejected
from pipeline.contract.schema import UnsafeSchema, enum_symbols, field_types, logical_type, parse_safely, schema_text
from pipeline.topics import TOUCHPOINTS
from pipeline.touchpoint import CHANNELS, INITIATORS, KEY_FIELDS, OUTCOMES, STAGES, Feedback, Identifier, Touchpoint

_FIELDS = Touchpoint._fields
_DEFAULTS: dict[str, Any] = {**Touchpoint._field_defaults, "identifiers": [], "attributes": {}}
#: Fields that each version of the schema must have under these names. Without one that names the customer, records
#: would silently count as somebody else's.
_REQUIRED = ("event_id", "source", "occurred_at", "kind", *KEY_FIELDS)
_TYPES = {name: field_types(parse_safely(schema_text(TOUCHPOINTS)), name) for name in _FIELDS}
#: The symbols of each enumeration, and what any other symbol is read as.
ENUMERATIONS: dict[str, tuple[tuple[str, ...], str | None]] = {
    "channel": (CHANNELS, "unknown"),
    "outcome": (OUTCOMES, "none"),
    "stage": (STAGES, None),
    "begun_by": (INITIATORS, None),
}

#: Types that a writer's field may have besides ours: Avro's promotions.
_PROMOTED = {"long": {"int"}, "double": {"float", "int", "long"}}


def _fits(theirs: set[str], ours: set[str]) -> bool:
    """Return whether every type of a writer's field is one that ours may have; parts that only theirs has are free."""
    allowed: dict[str, set[str]] = {}
    for path, _, kind in (each.rpartition(":") for each in ours):
        allowed.setdefault(path, set()).update({kind}, _PROMOTED.get(kind, set()))
    return all(kind in allowed.get(path, {kind}) for path, _, kind in (each.rpartition(":") for each in theirs))


class Writer:
    """A writer's schema: one version of the touchpoint's schema, and how records written with it are read.

    Fields that the version lacks take their defaults, fields that we do not know are ignored, and an unknown symbol of
    an enumeration is read as that enumeration's default. Raises UnsafeSchema for a schema that can't be read safely, or
    that lacks a required field.
    """

    def __init__(self, text: str) -> None:
        self.schema = parse_safely(text)
        names = {field["name"] for field in self.schema["fields"]}
        if lacking := [name for name in _REQUIRED if name not in names]:
            raise UnsafeSchema(f"it has no {', '.join(lacking)}")
        for name in ("occurred_at", "due_at"):
            if (unit := logical_type(text, name)) not in (None, "timestamp-millis"):
                raise UnsafeSchema(f"its {name} is {unit}, not timestamp-millis")
        if wrong := [
            name for name in _FIELDS if name in names and not _fits(field_types(self.schema, name), _TYPES[name])
        ]:
            raise UnsafeSchema(f"its {', '.join(wrong)} is of another type than ours")
        self._missing = {name: value for name, value in _DEFAULTS.items() if name not in names}
        self._unknown_symbols = {
            field: default
            for field, (known, default) in ENUMERATIONS.items()
            if not set(enum_symbols(self.schema, field)) <= set(known)
        }
        self._values = itemgetter(*_FIELDS)
        #: None where records can only be read one by one.
        self.columnar: ColumnarReader | None = None
        with suppress(NotImplementedError):
            self.columnar = ColumnarReader(self.schema)

    def touchpoint(self, record: dict[str, Any]) -> Touchpoint:
        """Return a decoded record as a touchpoint."""
        if self._missing:
            record = self._missing | record
        for field, default in self._unknown_symbols.items():
            if record[field] not in ENUMERATIONS[field][0]:
                record[field] = default
        identifiers = record["identifiers"]
        record["identifiers"] = (
            lower_hashes([Identifier(each["type"], each["value"]) for each in identifiers]) if identifiers else ()
        )
        feedback = record["feedback"]
        if feedback is not None:
            record["feedback"] = Feedback(feedback["instrument"], feedback["score"], feedback.get("verbatim"))
        return Touchpoint._make(self._values(record))


class RefusedSchema(NamedTuple):
    """A registered schema (as JSON) whose records are refused, and why."""

    text: str
    why: str


def read_writer(text: str) -> Writer | RefusedSchema:
    """Return how records of a registered schema are read, or why they are refused."""
    try:
        return Writer(text)
    except UnsafeSchema as error:
        return RefusedSchema(text, str(error))


#: Writers' schemas by the four bytes that name them in a record.
Writers = Mapping[bytes, Writer | RefusedSchema]


def decode(value: bytes | None, writers: Writers, max_bytes: int = MAX_RECORD_BYTES) -> Touchpoint | Rejected:
    """Return a record's value as a touchpoint, or why it is none. Its fields' values are not validated yet."""
    if not value:
        return Rejected("null_value", "the value is null") if value is None else Rejected("empty", "the value is empty")
    size = len(value)
    if size > max_bytes:
        return Rejected("oversized", f"the record has {size:,} bytes; the limit is {max_bytes:,}")
    writer = writers.get(value[1:HEADER_BYTES])
    if writer is None or value[:1] != MAGIC:
        return _bad_header(value)
    if isinstance(writer, RefusedSchema):
        return Rejected("refused_schema", f"schema id {_schema_id(value)} breaks the contract: {writer.why}")
    body = BytesIO(value)
    body.seek(HEADER_BYTES)
    try:
        record = schemaless_reader(body, writer.schema, None)
    except Exception as error:  # whatever a hostile body makes the decoder raise, the record is refused
        return Rejected(
            "undecodable", f"the body does not follow schema id {_schema_id(value)}: {_decoder_error(error)}"
        )
    if body.tell() != size:
        return Rejected("trailing_bytes", f"{size - body.tell()} of {size} bytes are left over after the body")
    assert isinstance(record, dict)
    return writer.touchpoint(record)


def _bad_header(value: bytes) -> Rejected:
    if value[:1] != MAGIC:
        return Rejected("bad_magic", f"the first byte is 0x{value[0]:02x}, not 0x00 of the Confluent wire format")
    if len(value) < HEADER_BYTES:
        return Rejected("undecodable", f"the record ends in its header, after {len(value)} of {HEADER_BYTES} bytes")
    return Rejected("unknown_schema", f"schema id {_schema_id(value)} is not one of this topic's subject")


def _schema_id(value: bytes) -> int:
    return int.from_bytes(value[1:HEADER_BYTES], "big")


def _decoder_error(error: Exception) -> str:
    """Return what the decoder says, without the bytes that its message may quote."""
    return {
        "EOFError": "it ends too early",
        "IndexError": "an index of a union or enumeration is out of range",
        "UnicodeDecodeError": "a text is not UTF-8",
    }.get(type(error).__name__, type(error).__name__)
