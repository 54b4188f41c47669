"""Bytes that come in: what is read, and what is refused and why."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.decode import Writer, decode
from pipeline.contract.encode import MAX_RECORD_BYTES, Encoder, touchpoint_record
from pipeline.contract.reject import REASONS, Rejected
from pipeline.contract.schema import UnsafeSchema, parse_safely, schema_text
from pipeline.topics import TOUCHPOINTS
from pipeline.touchpoint import Feedback, Identifier, Touchpoint

TEXT = schema_text(TOUCHPOINTS)
WRITERS = {(1).to_bytes(4, "big"): Writer(TEXT)}
ENCODER = Encoder(1, TEXT)
TOUCHPOINT = Touchpoint(
    event_id="e1",
    source="shop",
    occurred_at=1_700_000_000_000,
    channel="web",
    kind="purchase",
    customer_id="c1",
    identifiers=(Identifier("loyalty", "L1"),),
    outcome="succeeded",
    feedback=Feedback("csat", 4.0, "nice"),
    amount_minor=1999,
    currency="EUR",
    attributes={"x": "y"},
)
VALUE = ENCODER.encode(touchpoint_record(TOUCHPOINT))


def reason(value: bytes | None) -> str:
    result = decode(value, WRITERS)
    assert isinstance(result, Rejected)
    assert result.reason in REASONS
    return result.reason


def test_what_was_encoded_is_decoded() -> None:
    assert decode(VALUE, WRITERS) == TOUCHPOINT


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null_value"),
        (b"", "empty"),
        (b"{" + VALUE[1:], "bad_magic"),
        (b"\0", "undecodable"),
        (VALUE[:1] + struct.pack(">I", 99) + VALUE[5:], "unknown_schema"),
        (VALUE[:-1], "undecodable"),
        (VALUE[:5], "undecodable"),
        (VALUE + b"\0", "trailing_bytes"),
        (VALUE + bytes(MAX_RECORD_BYTES), "oversized"),
    ],
)
def test_bytes_that_are_no_touchpoint_are_refused_with_a_reason(value: bytes | None, expected: str) -> None:
    assert reason(value) == expected


def test_an_array_that_claims_to_be_huge_is_refused_at_once() -> None:
    start = ENCODER.encode(touchpoint_record(TOUCHPOINT._replace(identifiers=(), attributes={})))
    head = start[: start.index(b"\x02\x04c1") + 5]  # up to and with customer_id (a union's branch, then the text)
    twenty_million = b"\x80\xb4\x89\x13"
    assert reason(head + twenty_million) == "undecodable"


def test_no_detail_quotes_what_the_record_holds() -> None:
    secret = ENCODER.encode(touchpoint_record(TOUCHPOINT._replace(customer_id="geheim"))).replace(b"shop", b"sh\xffp")
    result = decode(secret, WRITERS)
    assert isinstance(result, Rejected)
    assert "geheim" not in result.detail
    assert "UTF-8" in result.detail


@given(st.binary(max_size=300))
def test_no_bytes_make_the_decoder_raise(body: bytes) -> None:
    assert isinstance(decode(b"\0\0\0\0\1" + body, WRITERS), Rejected | Touchpoint)


@given(cut=st.integers(0, len(VALUE) - 1), byte=st.integers(0, 255))
def test_a_touchpoint_with_one_byte_changed_is_read_or_refused(cut: int, byte: int) -> None:
    changed = VALUE[:cut] + bytes([byte]) + VALUE[cut + 1 :]
    assert isinstance(decode(changed, WRITERS), Rejected | Touchpoint)


def evolved(change: Any) -> str:
    schema = json.loads(TEXT)
    change(schema["fields"])
    return json.dumps(schema)


def field(fields: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(f for f in fields if f["name"] == name)


def test_old_and_new_versions_of_the_schema_are_read_side_by_side() -> None:
    older = evolved(lambda fields: [fields.remove(field(fields, n)) for n in ("subject", "duration_ms", "attributes")])
    newer = evolved(
        lambda fields: [
            fields.insert(2, {"name": "region", "type": "string", "default": ""}),
            field(fields, "channel")["type"]["symbols"].append("kiosk"),
        ]
    )
    writers = {n.to_bytes(4, "big"): Writer(text) for n, text in ((1, TEXT), (2, older), (3, newer))}
    record = touchpoint_record(TOUCHPOINT)
    old = Encoder(2, older).encode({k: v for k, v in record.items() if k not in ("subject", "attributes")})
    new = Encoder(3, newer).encode({**record, "region": "north", "channel": "kiosk"})

    assert decode(VALUE, writers) == TOUCHPOINT
    assert decode(old, writers) == TOUCHPOINT._replace(attributes={})
    assert decode(new, writers) == TOUCHPOINT._replace(channel="unknown")


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ('{"type":"record","name":"A","fields":[{"name":"a","type":["null","A"]}]}', "refers to itself"),
        (
            '{"type":"record","name":"A","namespace":"n","fields":[{"name":"b","type":{"type":"array","items":'
            '{"type":"record","name":"B","fields":[{"name":"x","type":["null","n.A"]}]}}}]}',
            "refers to itself",
        ),
        (
            '{"type":"record","name":"A","fields":[{"name":"a","type":{"type":"array","items":"null"}}]}',
            "take no bytes",
        ),
        (
            '{"type":"record","name":"A","fields":[{"name":"a","type":{"type":"array","items":'
            '{"type":"record","name":"E","fields":[]}}}]}',
            "take no bytes",
        ),
        ('"string"', "not a record"),
        ("{", "not JSON"),
        ('{"type":"record","name":"A","fields":[{"name":"a","type":"nonsense"}]}', "not a valid Avro schema"),
    ],
)
def test_a_schema_with_which_a_small_record_could_do_harm_is_refused(schema: str, said: str) -> None:
    with pytest.raises(UnsafeSchema, match=said):
        parse_safely(schema)


def test_a_writers_schema_without_what_every_touchpoint_has_is_refused() -> None:
    with pytest.raises(UnsafeSchema, match="occurred_at"):
        Writer(evolved(lambda fields: fields.remove(field(fields, "occurred_at"))))


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: field(fields, "kind").update(type="int"),
        lambda fields: field(fields, "occurred_at").update(type="string"),
        lambda fields: field(fields, "wait_ms").update(type=["null", "string"]),
        lambda fields: field(fields, "identifiers")["type"].update(items="string"),
        lambda fields: field(fields, "feedback")["type"][1]["fields"][1].update(type="string"),
        lambda fields: field(fields, "attributes")["type"].update(values="long"),
    ],
)
def test_a_writers_schema_whose_fields_are_of_other_types_is_refused(change: Any) -> None:
    with pytest.raises(UnsafeSchema, match="of another type"):
        Writer(evolved(change))


def test_a_writer_may_use_avros_promotions_and_add_to_nested_records() -> None:
    def change(fields: list[dict[str, Any]]) -> None:
        field(fields, "wait_ms")["type"] = ["null", "int"]
        field(fields, "feedback")["type"][1]["fields"].append({"name": "language", "type": "string", "default": ""})

    text = evolved(change)
    record = touchpoint_record(TOUCHPOINT._replace(wait_ms=7))
    record["feedback"]["language"] = "de"
    value = Encoder(1, text).encode(record)
    assert decode(value, {(1).to_bytes(4, "big"): Writer(text)}) == TOUCHPOINT._replace(wait_ms=7)
