"""Versions of the schema that a registry accepts and that would mislead: their records are refused, with the reason."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer

from pipeline.contract.decode import RefusedSchema, Writer, decode, read_writer
from pipeline.contract.reject import Rejected
from pipeline.contract.salvage import salvage
from pipeline.contract.schema import schema_text
from pipeline.topics import TOUCHPOINTS


def changed(change: Any) -> str:
    schema = json.loads(schema_text(TOUCHPOINTS))
    change({field["name"]: field for field in schema["fields"]}, schema)
    return json.dumps(schema)


def rename(before: str, after: str, *, alias: bool = False) -> Any:
    def change(fields: dict[str, Any], _schema: dict[str, Any]) -> None:
        fields[before]["name"] = after
        if alias:
            fields[before]["aliases"] = [before]

    return change


def unit(fields: dict[str, Any], _schema: dict[str, Any]) -> None:
    fields["occurred_at"]["type"] = {"type": "long", "logicalType": "timestamp-micros"}


def unit_of_due(fields: dict[str, Any], _schema: dict[str, Any]) -> None:
    fields["due_at"]["type"] = ["null", {"type": "long", "logicalType": "timestamp-micros"}]


def without(name: str) -> Any:
    def change(fields: dict[str, Any], schema: dict[str, Any]) -> None:
        schema["fields"].remove(fields[name])

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (rename("customer_id", "client_id"), "it has no customer_id"),
        (rename("customer_id", "client_id", alias=True), "it has no customer_id"),
        (rename("occurred_at", "happened_at", alias=True), "it has no occurred_at"),
        (without("kind"), "it has no kind"),
        (without("anonymous_id"), "it has no anonymous_id"),
        (without("identifiers"), "it has no identifiers"),
        (unit, "its occurred_at is timestamp-micros, not timestamp-millis"),
        (unit_of_due, "its due_at is timestamp-micros, not timestamp-millis"),
    ],
)
def test_a_version_that_breaks_the_contract_is_refused_with_what_is_wrong(change: Any, why: str) -> None:
    writer = read_writer(changed(change))
    assert isinstance(writer, RefusedSchema)
    assert writer.why == why
    rejected = decode(b"\0" + struct.pack(">I", 7) + b"x", {struct.pack(">I", 7): writer})
    assert rejected == Rejected("refused_schema", f"schema id 7 breaks the contract: {why}")


@pytest.mark.parametrize(
    "name", ["sent_at", "stage", "wait_ms", "feedback", "subject", "attributes", "due_at", "begun_by", "sequence"]
)
def test_a_version_without_an_optional_field_is_read(name: str) -> None:
    assert isinstance(read_writer(changed(without(name))), Writer)


def test_a_refused_record_can_be_shown_with_the_names_that_its_version_has() -> None:
    from io import BytesIO

    text = changed(rename("customer_id", "client_id"))
    body = BytesIO()
    schemaless_writer(
        body,
        parse_schema(json.loads(text)),
        {"event_id": "1", "source": "s", "occurred_at": 1, "kind": "k", "client_id": "c", "channel": "web"},
    )
    value = b"\0" + struct.pack(">I", 7) + body.getvalue()
    shown = salvage(value, {struct.pack(">I", 7): read_writer(text)})
    assert shown is not None
    assert shown["client_id"] == "c"
