"""Whatever comes in: a quarantine row that says why, a dead letter, and nothing good lost because of it."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from harness import PARTITIONS, Pipe, encoder_of, registry_of, wait_until
from sqlalchemy import text

from pipeline.contract.encode import Encoder, touchpoint_record
from pipeline.contract.partition import partition_of
from pipeline.contract.schema import schema_text
from pipeline.scores.registry import topic_schemas
from pipeline.topics import CHURN_RISK, DEAD_LETTERS, TOUCHPOINTS
from pipeline.touchpoint import Feedback, Touchpoint

pytestmark = pytest.mark.long

#: Stands for a mistake in the pipeline: the database refuses a value that passed all checks.
BREAKING = """
    CREATE FUNCTION breaking() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'out of range' USING ERRCODE = '22003';
    END $$;
    CREATE TRIGGER breaking BEFORE INSERT ON journey FOR EACH ROW WHEN (NEW.customer = 'customer:breaks-it')
    EXECUTE FUNCTION breaking();
"""
NOW = int(time.time() * 1000)
DAY = 86_400_000


def touchpoint(event_id: str, **fields: Any) -> Touchpoint:
    return Touchpoint(
        **{
            "event_id": event_id, "source": "shop", "occurred_at": NOW - DAY, "channel": "web", "kind": "page_viewed",
            "customer_id": "c1", **fields,
        }
    )  # fmt: skip


@pytest.fixture
def encoder(pipe: Pipe) -> Encoder:
    return encoder_of(pipe.env)


def test_each_kind_of_bad_record_is_quarantined_with_its_reason_and_the_rest_goes_through(
    pipe: Pipe, encoder: Encoder
) -> None:
    def value(t: Touchpoint) -> bytes:
        return encoder.encode(touchpoint_record(t))

    good = value(touchpoint("good"))
    foreign = registry_of(pipe.env).current_id(CHURN_RISK, topic_schemas()[CHURN_RISK])
    start = value(touchpoint("x", customer_id="huge", identifiers=()))
    huge_array = start[: start.index(b"\x08huge") + 6] + b"\x80\xb4\x89\x13"
    bad: dict[str, tuple[bytes | None, str]] = {
        "a null value": (None, "null_value"),
        "an empty record": (b"", "empty"),
        "a wrong magic byte": (b"\x07" + good[1:], "bad_magic"),
        "an unknown schema id": (b"\0" + struct.pack(">I", 999_999) + good[5:], "unknown_schema"),
        "another subject's schema id": (b"\0" + struct.pack(">I", foreign) + good[5:], "unknown_schema"),
        "a truncated body": (good[:-3], "undecodable"),
        "trailing bytes": (good + b"\0\0", "trailing_bytes"),
        "more than the limit": (good + bytes(400_000), "oversized"),
        "a claimed huge array": (huge_array, "undecodable"),
        "a time before 1990": (value(touchpoint("a", occurred_at=0)), "time_out_of_range"),
        "a time two days ahead": (value(touchpoint("b", occurred_at=NOW + 2 * DAY)), "time_out_of_range"),
        "no customer at all": (value(touchpoint("c", customer_id=None)), "no_customer"),
        "NaN": (value(touchpoint("d", feedback=Feedback("csat", float("nan")))), "invalid_feedback"),
        "a score beyond its scale": (value(touchpoint("e", feedback=Feedback("nps", 11))), "invalid_feedback"),
        "a NUL in the customer's id": (value(touchpoint("f", customer_id="c\0")), "invalid_text"),
        "a NUL in the kind": (value(touchpoint("g", kind="a\0b")), "invalid_text"),
    }
    pipe.produce([(b"customer:c1", good)])
    pipe.produce([(b"customer:c1", raw) for raw, _ in bad.values()])
    pipe.produce([(b"customer:c1", good), (b"customer:c1", value(touchpoint("last")))])
    pipe.work()

    rows = pipe.sql('SELECT reason, detail, raw, key, status FROM quarantine ORDER BY "offset"')
    assert [row.reason for row in rows] == [reason for _, reason in bad.values()]
    assert [None if row.raw is None else bytes(row.raw) for row in rows] == [raw for raw, _ in bad.values()]
    assert {row.status for row in rows} == {"new"}
    assert all(row.detail for row in rows)
    [sums] = pipe.sql("SELECT sum(processed) p, sum(duplicates) d, sum(quarantined) q, sum(forwarded) f FROM position")
    assert (sums.p, sums.d, sums.q, sums.f) == (2, 1, len(bad), 0)

    letters = pipe.messages(DEAD_LETTERS)
    assert [letter.value() for letter in letters] == [raw for raw, _ in bad.values()]
    headers = [dict(letter.headers() or []) for letter in letters]
    assert [h["pipeline-reason"].decode() for h in headers] == [reason for _, reason in bad.values()]
    assert {h["pipeline-topic"] for h in headers} == {TOUCHPOINTS.encode()}
    assert all(h["pipeline-offset"].isdigit() and h["pipeline-detail"] for h in headers)


def test_a_record_with_the_wrong_key_is_sent_on_once_and_counted_where_it_arrives(pipe: Pipe, encoder: Encoder) -> None:
    value = encoder.encode(touchpoint_record(touchpoint("a", customer_id="somebody")))
    pipe.produce([(b"nonsense", value), (None, value)])
    pipe.work()
    [sums] = pipe.sql("SELECT sum(processed) p, sum(duplicates) d, sum(quarantined) q, sum(forwarded) f FROM position")
    assert (sums.p, sums.d, sums.q, sums.f) == (1, 1, 0, 2)
    assert [m.key() for m in pipe.messages(TOUCHPOINTS)].count(b"customer:somebody") == 2
    [journey] = pipe.sql("SELECT customer, touchpoints FROM journey")
    assert (journey.customer, journey.touchpoints) == ("customer:somebody", 1)


def test_a_newer_version_of_the_schema_is_read_beside_the_current_one(pipe: Pipe, encoder: Encoder) -> None:
    newer = json.loads(schema_text(TOUCHPOINTS))
    newer["fields"].insert(3, {"name": "region", "type": ["null", "string"], "default": None})
    newer["fields"] = [f for f in newer["fields"] if f["name"] != "sent_at"]
    from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

    client = SchemaRegistryClient({"url": pipe.env["SCHEMA_REGISTRY_URL"]})
    try:
        new_id = client.register_schema(f"{TOUCHPOINTS}-value", Schema(json.dumps(newer), "AVRO"))
        writer = Encoder(new_id, json.dumps(newer))
        record = touchpoint_record(touchpoint("new")) | {"region": "north"}
        pipe.produce(
            [
                (b"customer:c1", encoder.encode(touchpoint_record(touchpoint("old")))),
                (b"customer:c1", writer.encode(record)),
            ]
        )
        pipe.work()
    finally:
        client.delete_version(f"{TOUCHPOINTS}-value", "latest")
    [journey] = pipe.sql("SELECT touchpoints FROM journey")
    assert journey.touchpoints == 2
    assert pipe.sql("SELECT 1 FROM quarantine") == []


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1", "Kafka at 127.0.0.1:1"),
        ("SCHEMA_REGISTRY_URL", "http://127.0.0.1:1", "schema registry at 127.0.0.1"),
        ("DATABASE_URL", "postgresql+psycopg://somebody:geheim@127.0.0.1:1/pipeline", "127.0.0.1:1"),
    ],
)
def test_a_server_that_is_down_at_the_start_ends_the_worker_with_an_error_that_names_it(
    pipe: Pipe, setting: str, value: str, said: str
) -> None:
    pipe.env[setting] = value
    done = pipe.run("worker", "--give-up", "1", check=False)
    assert done.returncode == 1
    assert said in done.stderr
    assert setting in done.stderr
    assert "geheim" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("server", ["kafka", "registry", "postgres"])
def test_a_server_that_goes_away_in_the_middle_is_waited_for_and_nothing_is_lost(
    pipe: Pipe, stack: Any, server: str
) -> None:
    before = [touchpoint(f"before-{i}", customer_id=f"c{i}") for i in range(50)]
    after = [touchpoint(f"after-{i}", customer_id=f"c{i}") for i in range(50)]
    worker = pipe.start_worker()
    pipe.publish(before)
    wait_until(lambda: pipe.sql("SELECT sum(processed) AS n FROM position")[0].n == 50, "the first are processed")
    part = stack.server(server)
    part.stop(hard=True)
    part.start()
    part.wait_ready()
    pipe.engine.dispose()
    pipe.publish(after)
    wait_until(lambda: pipe.sql("SELECT sum(processed) AS n FROM position")[0].n == 100, "the rest is processed", 90)
    worker.terminate()
    assert worker.wait(30) == 0, pipe.log()
    assert [row.touchpoints for row in pipe.sql("SELECT touchpoints FROM journey")] == [2] * 50


def test_a_database_that_stays_away_ends_the_worker_with_an_error_and_a_later_one_goes_on(
    pipe: Pipe, stack: Any
) -> None:
    worker = pipe.start_worker("--give-up", "1")
    pipe.publish([touchpoint("a")])
    wait_until(lambda: pipe.sql("SELECT sum(processed) AS n FROM position")[0].n == 1, "the first is processed")
    postgres = stack.server("postgres")
    postgres.stop()
    try:
        assert worker.wait(60) == 1
    finally:
        postgres.start()
        postgres.wait_ready()
        pipe.engine.dispose()
    assert "The database pipeline at 127.0.0.1" in pipe.log()
    assert "Traceback" not in pipe.log()
    pipe.publish([touchpoint("b")])
    pipe.work()
    assert [row.touchpoints for row in pipe.sql("SELECT touchpoints FROM journey")] == [2]


def test_a_record_that_breaks_the_work_on_it_is_quarantined_alone(pipe: Pipe) -> None:
    with pipe.engine.begin() as connection:
        connection.execute(text(BREAKING))
    try:
        pipe.publish([touchpoint(str(number), customer_id=f"c{number}") for number in range(100)])
        pipe.publish([touchpoint("x", customer_id="breaks-it"), touchpoint("y", customer_id="breaks-it")])
        pipe.publish([touchpoint(f"after {number}", customer_id=f"c{number}") for number in range(100)])
        pipe.work()
    finally:
        with pipe.engine.begin() as connection:
            connection.execute(text("DROP FUNCTION breaking() CASCADE"))
    rows = pipe.sql("SELECT reason, detail FROM quarantine")
    assert [(row.reason, row.detail) for row in rows] == [("unprocessable", "NumericValueOutOfRange 22003")] * 2
    [sums] = pipe.sql("SELECT sum(processed) p, sum(duplicates) d, sum(quarantined) q FROM position")
    assert (sums.p, sums.d, sums.q) == (200, 0, 2)
    assert len(pipe.messages(DEAD_LETTERS)) == 2
    assert "breaks-it" not in pipe.log()


def test_a_mistake_that_is_not_about_single_records_ends_the_worker(pipe: Pipe) -> None:
    with pipe.engine.begin() as connection:
        connection.execute(text(BREAKING.replace("NEW.customer = 'customer:breaks-it'", "true")))
    try:
        pipe.publish([touchpoint(str(number), customer_id=f"c{number}") for number in range(100)])
        worker = pipe.start_worker("--until-idle", "2")
        assert worker.wait(120) == 1
    finally:
        with pipe.engine.begin() as connection:
            connection.execute(text("DROP FUNCTION breaking() CASCADE"))
    assert pipe.sql("SELECT sum(quarantined) q FROM position")[0].q == 20
    pipe.work()
    assert pipe.sql("SELECT sum(processed) p FROM position")[0].p == 80


def test_names_of_headers_that_are_not_utf_8_stop_nobody(pipe: Pipe, encoder: Encoder) -> None:
    value = encoder.encode(touchpoint_record(touchpoint("odd", customer_id="c7")))
    pipe.publish([touchpoint(str(number), customer_id=f"c{number}") for number in range(50)])
    home = partition_of(b"customer:c7", PARTITIONS)
    produce = [sys.executable, str(Path(__file__).parent / "odd_header.py"), pipe.env["KAFKA_BOOTSTRAP_SERVERS"]]
    for key, body in ((b"customer:c7", value), (b"customer:c7", b"nonsense")):
        subprocess.run([*produce, TOUCHPOINTS, str(home), key.hex(), body.hex()], check=True)
    pipe.publish([touchpoint(f"after {number}", customer_id=f"c{number}") for number in range(50)])
    pipe.work()
    [sums] = pipe.sql("SELECT sum(processed) p, sum(duplicates) d, sum(quarantined) q FROM position")
    assert (sums.p, sums.d, sums.q) == (101, 0, 1)
    assert [row.reason for row in pipe.sql("SELECT reason FROM quarantine")] == ["bad_magic"]
