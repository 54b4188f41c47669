"""What is published is what the schemas in `schemas/` say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import pytest
from fastavro import schemaless_reader
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cases.row import STATUSES, CaseRow, StageReached
from pipeline.contract.avro_primitives import long
from pipeline.contract.schema import parse_safely
from pipeline.flow.values import Batch
from pipeline.journey.row import JourneyRow
from pipeline.journey.step import Measures, Step, StepType
from pipeline.journey.steps import Steps
from pipeline.publishing.records import OutgoingRecord, RecordSerializer
from pipeline.scores.churn.row import ChurnRow
from pipeline.scores.reason import Reason
from pipeline.scores.registry import SCORES, topic_schemas
from pipeline.scores.satisfaction.row import SatisfactionRow
from pipeline.topics import CASES, CHURN_RISK, IDENTITIES, JOURNEYS, SATISFACTION
from pipeline.touchpoint import INITIATORS

SERIALIZER = RecordSerializer({JOURNEYS: 7, SATISFACTION: 8, CHURN_RISK: 2**31, IDENTITIES: 9, CASES: 10}, SCORES)

texts = st.text(max_size=300)
moments = st.integers(631_152_000_000, 4_000_000_000_000)
longs = st.integers(-(2**63), 2**63 - 1)
ints = st.integers(0, 2**31 - 1)
doubles = st.floats(allow_nan=False)
outcomes = st.sampled_from(["none", "succeeded", "failed", "abandoned"])
optional_longs = st.none() | longs
unpaid = st.builds(
    Measures, wait_ms=optional_longs, duration_ms=optional_longs, score=st.none() | doubles,
    amount_minor=optional_longs, currency=st.none(), late_ms=optional_longs, about=st.none() | texts,
)  # fmt: skip
paid = st.builds(
    lambda measures, amount, currency: measures._replace(amount_minor=amount, currency=currency), unpaid, longs, texts
)
steps = st.builds(
    Step, at=moments, sequence=ints, key=st.just(b"12345678"),
    type=st.builds(
        StepType, channel=texts, kind=texts, stage=texts, outcome=texts,
        begun_by=st.none() | st.sampled_from(INITIATORS),
    ),
    measures=st.none() | unpaid | paid,
    via=st.none() | texts, subject=st.none() | texts,
)  # fmt: skip
journeys = st.builds(
    JourneyRow, journey_id=texts, customer=texts, revision=ints, status=st.sampled_from(["open", "closed", "merged"]),
    started_at=moments, ended_at=moments, covers_until=moments, touchpoints=ints,
    channels=st.dictionaries(texts, ints, max_size=4), outcome=outcomes, failures=ints, abandoned=ints,
    begun_by_customer=st.booleans(), is_visit=st.booleans(), steps=st.lists(steps, max_size=5).map(Steps),
    steps_omitted=ints,
    merged_into=st.none() | texts, moved_to=st.none() | texts, keys=st.just(b""),
)  # fmt: skip

cases = st.builds(
    CaseRow, customer=texts, subject=texts, revision=ints, type=texts, status=st.sampled_from(STATUSES),
    opened_at=st.none() | moments, last_at=st.none() | moments, closed_at=st.none() | moments,
    closes_at=st.none() | moments, due_at=st.none() | moments, late_ms=optional_longs, touchpoints=ints, contacts=ints,
    repeats=ints, hand_overs=ints, reopened=ints, first_channel=st.none() | texts,
    channels=st.dictionaries(texts, ints, max_size=4),
    stages=st.lists(st.builds(StageReached, stage=texts, at=moments), max_size=4).map(tuple), waits=ints, wait_ms=longs,
    outcome=outcomes, answers=ints, satisfaction=st.none() | doubles, steps=st.just(Steps(())), keys=st.just(b""),
)  # fmt: skip


def published(journeys: Sequence[JourneyRow] = (), **scores: Sequence[Any]) -> list[OutgoingRecord]:
    """The records of a batch with these rows."""
    return list(SERIALIZER.of_batch(Batch(3, 1, 0, journeys=journeys, scores=scores)))


def read(topic: str, value: bytes | None) -> Any:
    """The value without its header, as anybody reads it."""
    assert value is not None
    body = BytesIO(value[5:])
    record = schemaless_reader(body, parse_safely(topic_schemas()[topic]), None)
    assert not body.read()
    return record


def columns(row: Any, topic: str) -> dict[str, Any]:
    """A row's values that the topic's schema has."""
    names = {field["name"] for field in json.loads(topic_schemas()[topic])["fields"]}
    return {name: value for name, value in row._asdict().items() if name in names}


@given(row=cases)
def test_a_cases_record_holds_its_row(row: CaseRow) -> None:
    [out] = SERIALIZER.of_batch(Batch(3, 1, 0, cases=[row]))
    assert (out.topic, out.key, out.partition) == (CASES, f"{row.customer}/{row.subject}".encode(), 3)
    expected = columns(row, CASES)
    expected["stages"] = [each._asdict() for each in row.stages]
    assert read(CASES, out.value) == expected


@given(row=journeys)
def test_a_journeys_record_holds_its_row(row: JourneyRow) -> None:
    [out] = published(journeys=[row])
    assert (out.topic, out.key, out.partition) == (JOURNEYS, f"{row.customer}/{row.journey_id}".encode(), 3)
    expected = columns(row, JOURNEYS)
    expected["steps"] = [
        {"at": step.at}
        | step.type._asdict()
        | (step.measures or Measures())._asdict()
        | {"sequence": step.sequence, "via": step.via, "subject": step.subject}
        for step in row.steps
    ]
    assert read(JOURNEYS, out.value) == expected


@given(before=journeys, added=st.lists(steps, max_size=3))
def test_steps_that_were_written_before_and_those_that_were_added_make_one_record(
    before: JourneyRow, added: list[Step]
) -> None:
    list(published(journeys=[before]))
    grown = before._replace(steps=Steps([*before.steps, *added], before.steps))
    anew = before._replace(steps=Steps(grown.steps.items))
    assert published(journeys=[grown]) == published(journeys=[anew]) == published(journeys=[grown])


@given(
    row=st.builds(
        SatisfactionRow, customer=texts, score=doubles, low=doubles, high=doubles, answers=doubles, answered=ints,
        as_of=moments, weight=longs, weighted=longs, about=st.just(()), model=texts,
    )
)  # fmt: skip
def test_a_satisfactions_record_holds_its_row(row: SatisfactionRow) -> None:
    [out] = published(satisfaction=[row])
    assert (out.topic, out.key) == (SATISFACTION, row.customer.encode())
    assert read(SATISFACTION, out.value) == columns(row, SATISFACTION)


@given(
    row=st.builds(
        ChurnRow, customer=texts, probability=doubles, band=texts, horizon_days=ints, as_of=moments, visits=ints,
        first_active_at=moments, last_active_at=moments, account_closed_at=optional_longs, last_seen_at=moments,
        evidence=st.just({}), activities=ints, activity_weight=ints, payments=st.just({}), paid=st.just({}),
        reasons=st.lists(st.builds(Reason, code=texts, text=texts), max_size=3).map(tuple), model=texts,
    )
)  # fmt: skip
def test_a_churn_risks_record_holds_its_row(row: ChurnRow) -> None:
    [out] = published(churn_risk=[row])
    assert (out.topic, out.key) == (CHURN_RISK, row.customer.encode())
    assert read(CHURN_RISK, out.value) == columns(row, CHURN_RISK) | {
        "reasons": [reason._asdict() for reason in row.reasons]
    }


@pytest.mark.parametrize(("schema_id", "topic"), [(7, JOURNEYS), (8, SATISFACTION), (2**31, CHURN_RISK)])
def test_a_value_begins_with_its_schemas_id(schema_id: int, topic: str) -> None:
    rows = {
        JOURNEYS: published(journeys=[_journey()]),
        SATISFACTION: published(satisfaction=[SatisfactionRow("c", 1.0, 0.0, 2.0, 1.0, 1, 0, 0, 0, (), "m")]),
        CHURN_RISK: published(
            churn_risk=[ChurnRow("c", 0.5, "low", 90, 0, 1, 0, 0, None, 0, {}, 0, 0, {}, {}, (), "m")]
        ),
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
    return JourneyRow("id", 1, "open", "c", 0, 0, 0, 0, {}, "none", 0, 0, False, Steps(()), 0, None, None, False, b"")
