"""Many records at once are admitted as each one alone would be."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from fuzz import schemas, touchpoints
from fuzz.mutate import damaged
from memory import NOW, POLICY, Record, record

from pipeline import catalogue
from pipeline.contract.decode import Writer
from pipeline.contract.encode import Encoder, touchpoint_record
from pipeline.contract.partition import partition_of
from pipeline.flow.admission import Admission
from pipeline.flow.slices import Slice
from pipeline.flow.values import AdmittedSlice
from pipeline.topics import FORWARDED_HEADER
from pipeline.touchpoint import Feedback, Identifier, Touchpoint

PARTITIONS = 2


def newer() -> str:
    """A schema with what ours lacks, of types that are read by columns."""
    schema: dict[str, Any] = json.loads(schemas.texts()[2])
    schema["fields"] = [field for field in schema["fields"] if field["name"] not in ("data", "mark")]
    for field in schema["fields"]:
        if field["name"] == "wait_ms":
            field["type"] = ["int", "long", "null"]
            field.pop("default")
        if field["name"] == "feedback":
            field["type"][1]["fields"][1]["type"] = ["float", "double"]
    return json.dumps(schema)


TEXTS = [*schemas.texts(), newer()]
WRITERS = {number.to_bytes(4, "big"): Writer(text) for number, text in enumerate(TEXTS, 1)}
ENCODERS = [Encoder(number, text) for number, text in enumerate(TEXTS, 1)]


def admission() -> Admission:
    return Admission(catalogue.load(), POLICY, PARTITIONS)


def alone(records: list[Record]) -> AdmittedSlice:
    """Each admitted by itself."""
    single = admission()
    slices = [single.admit([Slice(0, 0, 0, [each])], WRITERS, touchpoints.NOW_MS)[0] for each in records]
    return AdmittedSlice(
        0,
        len(records),
        [event for each in slices for event in each.admitted],
        [refused for each in slices for refused in each.refused],
        [forwarded for each in slices for forwarded in each.forwarded],
        corrections=[correction for each in slices for correction in each.corrections],
    )


def values(random: Random, damage: float) -> list[bytes]:
    """Values of several schemas, with all that may be in a touchpoint; some are damaged."""
    made = [random.choice(ENCODERS).encode(touchpoints.record(random)) for _ in range(400)]
    return [damaged(each, random, random.choice(made)) if random.random() < damage else each for each in made]


def keyed(value: bytes, offset: int, random: Random) -> Record:
    """A record with the right key, mostly."""
    [sent] = admission().admit([Slice(0, 0, 0, [Record(offset, b"", value)])], WRITERS, touchpoints.NOW_MS)
    key = sent.forwarded[0].key if sent.forwarded and random.random() < 0.95 else b"wrong"
    headers = [(FORWARDED_HEADER, b"0/0")] if random.random() < 0.05 else []
    return Record(offset, key, value, headers=headers)


@pytest.mark.parametrize("damage", [0.0, 0.5])
@pytest.mark.parametrize("seed", range(8))
def test_arbitrary_records_are_sorted_as_each_alone(seed: int, damage: float) -> None:
    random = Random(seed)
    records = [keyed(value, n, random) for n, value in enumerate(values(random, damage))]
    records[7].value = None
    [many] = admission().admit([Slice(0, 0, len(records), records)], WRITERS, touchpoints.NOW_MS)
    assert many == alone(records)
    assert len(many.admitted) > 20


@pytest.mark.parametrize("seed", range(4))
def test_slices_of_several_partitions_are_sorted_as_each_slice_alone(seed: int) -> None:
    random = Random(seed)
    records = [keyed(value, n, random) for n, value in enumerate(values(random, 0.1))]
    slices = [Slice(number, 0, number, records[number * 200 : number * 200 + 200]) for number in range(PARTITIONS)]
    together = admission().admit(slices, WRITERS, touchpoints.NOW_MS)
    assert together == [admission().admit([each], WRITERS, touchpoints.NOW_MS)[0] for each in slices]
    assert all(each.admitted and each.forwarded for each in together)


def plain(number: int, **changed: Any) -> Touchpoint:
    made = Touchpoint(f"e-{number}", "shop", NOW - 1_000 * number, channel="web", kind="page_viewed")
    return made._replace(**({"customer_id": f"c-{number % 7}"} | changed))


@pytest.mark.parametrize(
    "changed",
    [
        {"customer_id": None, "anonymous_id": "cookie-1"},
        {"customer_id": None, "identifiers": (Identifier("device", "d"),)},
        {"customer_id": None, "anonymous_id": "cookie-1", "identifiers": (Identifier("loyalty", "L1"),)},
        {"customer_id": None, "anonymous_id": "cookie-1", "identifiers": (Identifier("loyalty", "000"),)},
        {"customer_id": None, "identifiers": (Identifier("device", "d" * 200),)},
        {"customer_id": "guest", "anonymous_id": "cookie-1"},
        {"customer_id": "guest"},
        {"anonymous_id": "cookie-1", "identifiers": (Identifier("device", "d"), Identifier("loyalty", "L1"))},
        {"anonymous_id": "null", "identifiers": (Identifier("device", "a\0b"), Identifier("loyalty", "x" * 200))},
        {"kind": "identity_ended"},
        {"kind": "customer_split"},
        {"customer_id": "a\0b"},
        {"customer_id": "x" * 190},
        {"customer_id": "x" * 200},
        {"customer_id": "ü"},
        {"event_id": "a\0b"},
        {"event_id": "é" * 150},
        {"source": ""},
        {"kind": "No Word"},
        {"kind": "ünbekannt"},
        {"kind": "made_up"},
        {"stage": "after", "outcome": "failed", "wait_ms": 0, "duration_ms": 3},
        {"wait_ms": -1},
        {"due_at": NOW - 5_000, "begun_by": "company", "sequence": 3},
        {"due_at": -1},
        {"sequence": -1},
        {"occurred_at": 0},
        {"amount_minor": -5, "currency": "EUR"},
        {"amount_minor": 5},
        {"currency": "EUR"},
        {"feedback": Feedback("csat", 3.0)},
        {"feedback": Feedback("csat", 9.0)},
        {"feedback": Feedback("nps", 3.0, "schön"), "attributes": {"about": "email/email_opened"}},
        {"feedback": Feedback("nps", 3.0), "attributes": {"x": "about", "about": "nonsense"}},
        {"attributes": {str(n): "" for n in range(100)}},
        {"subject": "case 1", "attributes": {"ort": "Köln"}},
        {"subject": "Fall\0ü"},
        {"subject": ""},
        {"subject": "null"},
        {"subject": "x" * 300},
        {"subject": "s", "feedback": Feedback("csat", 3.0)},
    ],
)
def test_one_unusual_touchpoint_among_plain_ones_keeps_its_place(changed: dict[str, Any]) -> None:
    records = [record(plain(n), n) for n in range(300)]
    records[70] = record(plain(70, **changed), 70)
    records = [each for each in records if partition_of(each.key or b"", PARTITIONS) == 0 or each.offset == 70]
    [many] = admission().admit([Slice(0, 0, len(records), records)], WRITERS, touchpoints.NOW_MS)
    assert many == alone(records)


def test_a_word_for_who_began_it_that_only_a_newer_schema_has_reads_as_none() -> None:
    said = ["customer", "machine", "company", None]
    newer = {"deep": [], "data": b"", "mark": b"abc", "nothing": None}
    values = [touchpoint_record(plain(n, customer_id="c")) | newer | {"begun_by": said[n % 4]} for n in range(40)]
    records = [Record(n, b"customer:c", ENCODERS[2].encode(value)) for n, value in enumerate(values)]
    home = partition_of(b"customer:c", PARTITIONS)
    [many] = admission().admit([Slice(home, 0, len(records), records)], WRITERS, touchpoints.NOW_MS)
    assert [event.step.type.begun_by for event in many.admitted] == ["customer", None, "company", None] * 10
    assert [event.traits.begun_by_customer for event in many.admitted] == [True, True, False, True] * 10
    single = [admission().admit([Slice(home, 0, 0, [each])], WRITERS, touchpoints.NOW_MS)[0] for each in records]
    assert many.admitted == [event for each in single for event in each.admitted]
