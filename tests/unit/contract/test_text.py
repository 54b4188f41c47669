from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.decode import Writer, decode
from pipeline.contract.encode import Encoder, touchpoint_record
from pipeline.contract.reject import REASONS, Rejected
from pipeline.contract.schema import schema_text
from pipeline.contract.text import from_json_line, from_record, to_json_line, to_record
from pipeline.contract.validate import EARLIEST_MS, check
from pipeline.scales import SCALES
from pipeline.topics import TOUCHPOINTS
from pipeline.touchpoint import CHANNELS, INITIATORS, OUTCOMES, STAGES, Feedback, Identifier, Touchpoint, is_nobody

NOW_MS = 1_780_000_000_000
LEAST = {
    "event_id": "1",
    "source": "shop",
    "occurred_at": "2026-05-01T09:30:00Z",
    "channel": "web",
    "kind": "page_viewed",
    "customer_id": "c",
}

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
spans = st.none() | st.integers(0, 10**9)
times = st.integers(EARLIEST_MS, NOW_MS)


@st.composite
def feedbacks(draw: st.DrawFn) -> Feedback:
    instrument = draw(st.sampled_from(list(SCALES)))
    scale = SCALES[instrument]
    return Feedback(instrument, draw(st.floats(scale.worst, scale.best)), draw(st.none() | texts))


@st.composite
def touchpoints(draw: st.DrawFn) -> Touchpoint:
    amount = draw(st.none() | st.integers(-(2**63), 2**63 - 1))
    return Touchpoint(
        event_id=draw(texts),
        source=draw(texts),
        occurred_at=draw(times),
        sent_at=draw(st.none() | times),
        channel=draw(st.sampled_from(CHANNELS)),
        kind=draw(st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)),
        stage=draw(st.none() | st.sampled_from(STAGES)),
        customer_id=draw(texts.filter(lambda text: not is_nobody(f"customer:{text}"))),
        anonymous_id=draw(st.none() | texts),
        identifiers=tuple(draw(st.lists(st.builds(Identifier, texts, texts), max_size=3))),
        outcome=draw(st.sampled_from(OUTCOMES)),
        wait_ms=draw(spans),
        duration_ms=draw(spans),
        feedback=draw(st.none() | feedbacks()),
        amount_minor=amount,
        currency=None if amount is None else draw(st.sampled_from(["EUR", "JPY"])),
        subject=draw(st.none() | texts),
        attributes=draw(st.dictionaries(texts, texts, max_size=3)),
        due_at=draw(st.none() | times),
        begun_by=draw(st.none() | st.sampled_from(INITIATORS)),
        sequence=draw(st.none() | st.integers(0, 2**63 - 1)),
    )


@given(touchpoints())
def test_a_touchpoint_survives_json_lines_and_avro(touchpoint: Touchpoint) -> None:
    assert check(touchpoint, NOW_MS) is None
    read = from_json_line(to_json_line(touchpoint))
    assert read == touchpoint
    assert isinstance(read, Touchpoint)
    encoded = Encoder(7, schema_text(TOUCHPOINTS)).encode(touchpoint_record(read))
    assert decode(encoded, {(7).to_bytes(4, "big"): Writer(schema_text(TOUCHPOINTS))}) == touchpoint


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*Touchpoint._fields, "type", "value", "instrument", "score"]), inner)))  # fmt: skip # noqa: E501
def test_whatever_json_comes_it_is_a_touchpoint_or_refused(value: object) -> None:
    found = from_json_line(json.dumps(value))
    assert isinstance(found, Touchpoint) or found.reason in REASONS


@given(st.binary(max_size=40))
def test_whatever_bytes_come_they_are_a_touchpoint_or_refused(line: bytes) -> None:
    assert isinstance(from_json_line(line), Rejected)


def test_what_is_absent_takes_its_default() -> None:
    assert from_record(LEAST) == Touchpoint(
        event_id="1", source="shop", occurred_at=1_777_627_800_000, channel="web", kind="page_viewed", customer_id="c"
    )


def test_null_is_the_same_as_absent() -> None:
    nulls = dict.fromkeys(Touchpoint._fields)
    assert from_record(nulls | LEAST) == from_record(LEAST)


@pytest.mark.parametrize(
    ("given_as", "epoch_ms"),
    [
        ("2026-05-01T09:30:00Z", 1_777_627_800_000),
        ("2026-05-01t09:30:00z", 1_777_627_800_000),
        ("2026-05-01 09:30:00+00:00", 1_777_627_800_000),
        ("2026-05-01T11:30:00+02:00", 1_777_627_800_000),
        ("2026-05-01T04:00:00-05:30", 1_777_627_800_000),
        ("2026-05-01T09:30:00.1Z", 1_777_627_800_100),
        ("2026-05-01T09:30:00.123999999Z", 1_777_627_800_123),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        (1_777_627_800_000, 1_777_627_800_000),
        (1_777_627_800_000.0, 1_777_627_800_000),
    ],
)
def test_a_time_is_rfc_3339_or_epoch_milliseconds(given_as: object, epoch_ms: int) -> None:
    found = from_record({**LEAST, "occurred_at": given_as})
    assert isinstance(found, Touchpoint)
    assert found.occurred_at == epoch_ms


@pytest.mark.parametrize(
    ("given_as", "said"),
    [
        ("2026-05-01T09:30:00", "occurred_at has no offset from UTC; write 2026-05-01T09:30:00Z"),
        ("2026-05-01", "occurred_at is not an RFC 3339 time"),
        ("1777627800000", "occurred_at is not an RFC 3339 time"),
        ("2026-02-30T09:30:00Z", "occurred_at is not a date and time that exists"),
        ("2026-05-01T25:30:00Z", "occurred_at is not a date and time that exists"),
        ("0001-01-01T00:00:00+23:59", None),
        (True, "occurred_at must be an RFC 3339 text or epoch milliseconds, not true or false"),
        (1.5, "occurred_at must be a whole number, not a number with a fraction"),
        (2**63, "occurred_at does not fit into 64 bits"),
        (None, "occurred_at is missing"),
    ],
)
def test_another_time_is_refused_with_what_it_should_be(given_as: object, said: str | None) -> None:
    found = from_record({**LEAST, "occurred_at": given_as})
    if said is None:  # far away, yet a time; whether it is possible is for validate to say
        assert isinstance(found, Touchpoint)
    else:
        assert isinstance(found, Rejected)
        assert found.detail.startswith(said)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("event_id", 7, "event_id must be a text, not a number"),
        ("kind", ["a"], "kind must be a text, not a list"),
        ("wait_ms", "5", "wait_ms must be a whole number, not a text"),
        ("wait_ms", 1.5, "wait_ms must be a whole number, not a number with a fraction"),
        ("duration_ms", True, "duration_ms must be a whole number, not true or false"),
        ("amount_minor", 2**64 - 1, "amount_minor does not fit into 64 bits"),
        ("identifiers", {}, "identifiers must be a list of objects with type and value, not an object"),
        ("identifiers", [{"type": "email"}], "identifiers[0] must be an object with type and value and nothing else"),
        ("identifiers", [{"type": "x", "value": None}], "identifiers[0].value must be a text, not null"),
        ("feedback", 5, "feedback must be an object with instrument and score, not a number"),
        ("feedback", {"instrument": "csat"}, "feedback needs instrument and score"),
        ("feedback", {"instrument": "csat", "score": "5"}, "feedback.score must be a number, not a text"),
        ("feedback", {"instrument": "csat", "score": 5, "sore": 1}, "feedback has unknown 'sore'"),
        ("attributes", [], "attributes must be an object of texts, not a list"),
        ("attributes", {"page": 5}, "attributes.page must be a text, not a number"),
        ("custmer_id", "c", "unknown field 'custmer_id'; did you mean customer_id?"),
        ("Channel", "web", "unknown field 'Channel'; did you mean channel?"),
        ("zzzz", 1, "unknown field 'zzzz'; other data goes into attributes"),
    ],
)
def test_a_field_of_the_wrong_type_is_named(field: str, value: object, said: str) -> None:
    found = from_json_line(orjson.dumps({**LEAST, field: value}))
    assert isinstance(found, Rejected)
    assert found.detail.startswith(said)


@pytest.mark.parametrize("field", ["event_id", "source", "occurred_at", "channel", "kind"])
def test_a_field_that_must_be_there_is_named_when_it_is_not(field: str) -> None:
    assert from_record({name: value for name, value in LEAST.items() if name != field}) == Rejected(
        "invalid_value", f"{field} is missing"
    )


def test_a_refusal_quotes_no_value() -> None:
    secret = "anna@example.org"
    for field in Touchpoint._fields:
        for value in (secret, [secret], {"x": secret}, {"x": [secret]}):
            found = from_record({**LEAST, field: value})
            assert isinstance(found, Touchpoint) or secret not in found.detail


def test_absent_fields_are_left_out_of_json_lines() -> None:
    found = from_record(LEAST)
    assert isinstance(found, Touchpoint)
    assert to_record(found) == {**LEAST, "occurred_at": "2026-05-01T09:30:00.000Z"}


def test_a_time_beyond_the_calendar_is_written_as_milliseconds() -> None:
    assert to_record(Touchpoint("1", "s", 2**62))["occurred_at"] == 2**62
