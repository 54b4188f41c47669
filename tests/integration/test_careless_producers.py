"""Careless producers: a transaction left open, a version of the schema that would mislead, a look-up by text."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from confluent_kafka import Producer
from confluent_kafka.schema_registry import ConfigCompatibilityLevel, Schema, SchemaRegistryClient, ServerConfig
from harness import Pipe, encoder_of, registry_of, wait_until

from pipeline.contract.encode import Encoder, touchpoint_record
from pipeline.contract.schema import schema_text
from pipeline.errors import InvalidInput
from pipeline.topics import TOUCHPOINTS, subject
from pipeline.touchpoint import Touchpoint

pytestmark = pytest.mark.long

SOURCE = Path(__file__).parents[2] / "schemas" / "touchpoint.avsc"


def touchpoint(event_id: str, customer: str = "c1") -> Touchpoint:
    return Touchpoint(
        event_id=event_id,
        source="shop",
        occurred_at=time.time_ns() // 1_000_000,
        channel="web",
        kind="page_viewed",
        customer_id=customer,
    )


def changed(**names: str | None) -> str:
    """The schema with fields renamed, or left out."""
    schema = json.loads(SOURCE.read_text())
    for name, other in names.items():
        [field] = [each for each in schema["fields"] if each["name"] == name]
        if other is None:
            schema["fields"].remove(field)
        else:
            field["name"] = other
    return json.dumps(schema)


@contextmanager
def registered(pipe: Pipe, text: str) -> Iterator[int]:
    """A version that some producer registered; it is gone afterwards."""
    client = SchemaRegistryClient({"url": pipe.env["SCHEMA_REGISTRY_URL"]})
    schema_id = client.register_schema(subject(TOUCHPOINTS), Schema(text, "AVRO"))
    try:
        yield schema_id
    finally:
        client.delete_version(subject(TOUCHPOINTS), "latest")


def sample(address: str, name: str) -> float:
    """The sum of a metric's samples."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((name + "{", name + " ")))


def metrics_address(pipe: Pipe) -> str:
    for line in pipe.log().splitlines():
        if line.startswith("{") and json.loads(line)["event"] == "metrics":
            return str(json.loads(line)["address"])
    return ""


def test_a_transaction_that_is_left_open_is_lag_and_the_worker_waits_for_its_end(pipe: Pipe) -> None:
    encoder = encoder_of(pipe.env)
    producer = Producer(
        {
            "bootstrap.servers": pipe.env["KAFKA_BOOTSTRAP_SERVERS"],
            "transactional.id": f"dead-{time.monotonic_ns()}",
            "partitioner": "murmur2_random",
        }
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(TOUCHPOINTS, encoder.encode(touchpoint_record(touchpoint("open"))), b"customer:c1")
    producer.flush(10)
    pipe.publish(touchpoint(f"behind-{number}") for number in range(20))
    worker = pipe.start_worker("--until-idle", "1", PIPELINE_METRICS_ADDRESS="127.0.0.1:0")
    wait_until(lambda: metrics_address(pipe), "the worker says where its metrics are")
    address = metrics_address(pipe)
    wait_until(lambda: sample(address, "pipeline_held_back_records") >= 21, "the open transaction shows")
    assert sample(address, "pipeline_lag_records") >= 21
    with pytest.raises(subprocess.TimeoutExpired):
        worker.wait(timeout=5)
    producer.abort_transaction(30)
    assert worker.wait(timeout=60) == 0, pipe.log()
    [journey] = pipe.sql("SELECT touchpoints FROM journey")
    assert journey.touchpoints == 20
    [left] = pipe.sql(
        "SELECT sum(next_offset - (processed + duplicates + quarantined + forwarded)) AS without_record FROM position"
    )
    assert left.without_record == 2  # the aborted record, and its transaction's marker
    assert "No differences." in pipe.run("audit").stdout


def test_records_of_a_version_that_renames_the_customer_are_refused_as_that_and_init_names_it(pipe: Pipe) -> None:
    text = changed(customer_id="client_id")
    with registered(pipe, text) as schema_id:
        record: dict[str, Any] = touchpoint_record(touchpoint("renamed")) | {"anonymous_id": "cookie"}
        record["client_id"] = record.pop("customer_id")
        pipe.produce([(b"anonymous:cookie", Encoder(schema_id, text).encode(record))])
        pipe.publish([touchpoint("right")])
        pipe.work()
        init = pipe.run("init")
    [refused] = pipe.sql("SELECT reason, detail FROM quarantine")
    assert tuple(refused) == ("refused_schema", f"schema id {schema_id} breaks the contract: it has no customer_id")
    assert [row.customer for row in pipe.sql("SELECT customer FROM journey")] == ["customer:c1"]
    assert (
        f"(schema id {schema_id}) of {subject(TOUCHPOINTS)} breaks the contract: it has no customer_id" in init.stderr
    )


def test_beside_a_version_without_a_needed_field_the_schema_is_registered_as_the_docs_say(pipe: Pipe) -> None:
    topic = f"careless-{time.monotonic_ns()}"
    client = SchemaRegistryClient({"url": pipe.env["SCHEMA_REGISTRY_URL"]})
    client.register_schema(subject(topic), Schema(changed(kind=None), "AVRO"))
    registry, ours = registry_of(pipe.env), schema_text(TOUCHPOINTS)
    with pytest.raises(InvalidInput, match="not compatible with every registered version"):
        registry.register(topic, ours)
    client.set_config(subject(topic), ServerConfig(compatibility=ConfigCompatibilityLevel.NONE))
    schema_id = client.register_schema(subject(topic), Schema(ours, "AVRO"))
    assert registry.register(topic, ours) == schema_id
    assert len(registry.versions(topic)) == 2


def test_a_producer_that_only_looks_its_schema_up_finds_it_by_the_files_text(pipe: Pipe) -> None:
    url = f"{pipe.env['SCHEMA_REGISTRY_URL']}/subjects/{subject(TOUCHPOINTS)}"
    expected = registry_of(pipe.env).current_id(TOUCHPOINTS, schema_text(TOUCHPOINTS))
    for text in (SOURCE.read_text(), json.dumps(json.loads(SOURCE.read_text()), indent=7)):
        answer = httpx2.post(url, json={"schema": text})
        assert answer.status_code == 200, answer.text
        assert answer.json()["id"] == expected
