"""What is published is what the schemas in `schemas/` say."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from fastavro import schemaless_reader
from hypothesis import given
from hypothesis import strategies as st

from pipeline.churn.reasons import Reason
from pipeline.contract.schema import parsed, schema_text
from pipeline.contract.wire import long
from pipeline.flow.values import ChurnRow, JourneyRow, SatisfactionRow
from pipeline.journey.step import Step
from pipeline.stream.records import Records
from pipeline.topics import CHURN_RISK, JOURNEYS, SATISFACTION

RECORDS = Records({JOURNEYS: 7, SATISFACTION: 8, CHURN_RISK: 2**31})

texts = st.text(max_size=300)
moments = st.integers(631_152_000_000, 4_000_000_000_000)
longs = st.integers(-(2**63), 2**63 - 1)
ints = st.integers(0, 2**31 - 1)
doubles = st.floats(allow_nan=False)
outcomes = st.sampled_from(["none", "succeeded", "failed", "abandoned"])
optional_longs = st.none() | longs
plain_steps = st.builds(
    Step, at=moments, key=st.just(b"12345678"), channel=texts, kind=texts, stage=texts, outcome=texts,
    wait_ms=optional_longs, duration_ms=optional_longs, score=st.none() | doubles, amount_minor=optional_longs,
    currency=st.none(),
)  # fmt: skip
paid_steps = st.builds(
    lambda step, amount, currency: step._replace(amount_minor=amount, currency=currency), plain_steps, longs, texts
)
steps = plain_steps | paid_steps
journeys = st.builds(
    JourneyRow, journey_id=texts, customer=texts, revision=ints, status=st.sampled_from(["open", "closed", "merged"]),
    started_at=moments, ended_at=moments, covers_until=moments, touchpoints=ints,
    channels=st.dictionaries(texts, ints, max_size=4), outcome=outcomes, failures=ints, abandoned=ints,
    begun_by_customer=st.booleans(), steps=st.lists(steps, max_size=5), steps_omitted=ints,
    merged_into=st.none() | texts, keys=st.just(b""),
)  # fmt: skip


def read(topic: str, value: bytes | None) -> Any:
    """The value without its header, as anybody reads it."""
    assert value is not None
    body = BytesIO(value[5:])
    found = schemaless_reader(body, parsed(schema_text(topic)), None)
    assert not body.read()
    return found


def columns(row: Any, topic: str) -> dict[str, Any]:
    """A row's values that the topic's schema has."""
    names = {field["name"] for field in json.loads(schema_text(topic))["fields"]}
    return {name: value for name, value in row._asdict().items() if name in names}


@given(row=journeys)
def test_a_journeys_record_holds_its_row(row: JourneyRow) -> None:
    [out] = RECORDS.journeys([row])
    assert (out.topic, out.key) == (JOURNEYS, row.customer.encode())
    expected = columns(row, JOURNEYS)
    expected["steps"] = [{n: v for n, v in step._asdict().items() if n != "key"} for step in row.steps]
    found = read(JOURNEYS, out.value)
    assert found == expected


@given(
    row=st.builds(
        SatisfactionRow, customer=texts, score=doubles, low=doubles, high=doubles, answers=doubles, answered=ints,
        as_of=moments, weight=longs, weighted=longs, model=texts,
    )
)  # fmt: skip
def test_a_satisfactions_record_holds_its_row(row: SatisfactionRow) -> None:
    [out] = RECORDS.satisfaction([row])
    assert (out.topic, out.key) == (SATISFACTION, row.customer.encode())
    assert read(SATISFACTION, out.value) == columns(row, SATISFACTION)


@given(
    row=st.builds(
        ChurnRow, customer=texts, probability=doubles, band=texts, horizon_days=ints, as_of=moments, visits=ints,
        first_active_at=moments, last_active_at=moments, account_closed_at=optional_longs, last_seen_at=moments,
        reasons=st.lists(st.builds(Reason, code=texts, text=texts), max_size=3).map(tuple), model=texts,
    )
)  # fmt: skip
def test_a_churn_risks_record_holds_its_row(row: ChurnRow) -> None:
    [out] = RECORDS.churn([row])
    assert (out.topic, out.key) == (CHURN_RISK, row.customer.encode())
    found = read(CHURN_RISK, out.value)
    assert found == columns(row, CHURN_RISK) | {"reasons": [reason._asdict() for reason in row.reasons]}


@pytest.mark.parametrize(("schema_id", "topic"), [(7, JOURNEYS), (8, SATISFACTION), (2**31, CHURN_RISK)])
def test_a_value_begins_with_its_schemas_id(schema_id: int, topic: str) -> None:
    rows = {
        JOURNEYS: RECORDS.journeys([_journey()]),
        SATISFACTION: RECORDS.satisfaction([SatisfactionRow("c", 1.0, 0.0, 2.0, 1.0, 1, 0, 0, 0, "m")]),
        CHURN_RISK: RECORDS.churn([ChurnRow("c", 0.5, "low", 90, 0, 1, 0, 0, None, 0, (), "m")]),
    }
    [out] = rows[topic]
    assert out.value is not None
    assert out.value[:5] == b"\0" + schema_id.to_bytes(4, "big")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "00"),
        (-1, "01"),
        (1, "02"),
        (-64, "7f"),
        (64, "8001"),
        (8191, "fe7f"),
        (8192, "808001"),
        (2**63 - 1, "feffffffffffffffff01"),
        (-(2**63), "ffffffffffffffffff01"),
    ],
)
def test_numbers_are_zig_zag_varints(value: int, said: str) -> None:
    assert long(value).hex() == said


def _journey() -> JourneyRow:
    return JourneyRow("id", "c", 1, "open", 0, 0, 0, 0, {}, "none", 0, 0, False, [], 0, None, b"")
