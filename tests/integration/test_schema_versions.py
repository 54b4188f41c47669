"""Producers of version 1 of the schema and of version 2 write to one topic, side by side."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from harness import Pipe, encoder_of

from pipeline.contract.encode import Encoder, touchpoint_record
from pipeline.topics import JOURNEYS, TOUCHPOINTS, subject
from pipeline.touchpoint import Touchpoint

SOURCE = Path(__file__).parents[2] / "schemas" / "touchpoint.avsc"
NEW = ("due_at", "begun_by", "sequence")
MINUTE = 60_000
T0 = time.time_ns() // 1_000_000 - 60 * MINUTE
KEY = b"customer:c1"


def touchpoint(event_id: str, at: int, kind: str = "page_viewed", **fields: Any) -> Touchpoint:
    return Touchpoint(event_id, "shop", at, channel="web", kind=kind, customer_id="c1", **fields)


def encoder_of_version_1(pipe: Pipe) -> Encoder:
    schema = json.loads(SOURCE.read_text())
    schema["fields"] = [field for field in schema["fields"] if field["name"] not in NEW]
    text = json.dumps(schema)
    client = SchemaRegistryClient({"url": pipe.env["SCHEMA_REGISTRY_URL"]})
    return Encoder(client.register_schema(subject(TOUCHPOINTS), Schema(text, "AVRO")), text)


def test_both_versions_make_one_journey_across_a_restart(pipe: Pipe) -> None:
    old, new = encoder_of_version_1(pipe), encoder_of(pipe.env)
    pipe.produce([(KEY, old.encode(touchpoint_record(touchpoint("viewed", T0))))])
    pipe.work()
    delivered = touchpoint("delivered", T0 + MINUTE, "order_delivered", due_at=T0 - 59 * MINUTE, sequence=2)
    later = [
        delivered,
        touchpoint("sent", T0 + MINUTE, "order_shipped", sequence=1),
        touchpoint("renewed", T0 + MINUTE, "purchase", begun_by="company", sequence=3),
    ]
    pipe.produce([(KEY, new.encode(touchpoint_record(each))) for each in later])
    pipe.produce([(KEY, old.encode(touchpoint_record(touchpoint("left", T0 + 2 * MINUTE, "cart_abandoned"))))])
    pipe.work()

    [row] = pipe.sql("SELECT steps, begun_by_customer, is_visit FROM journey")
    kinds = ["page_viewed", "order_shipped", "order_delivered", "purchase", "cart_abandoned"]
    assert [step["kind"] for step in row.steps] == kinds
    assert [step.get("late_ms") for step in row.steps] == [None, None, 60 * MINUTE, None, None]
    assert [step.get("begun_by") for step in row.steps] == [None, None, None, "company", None]
    [last] = pipe.records(JOURNEYS)[-1:]
    assert [(step["kind"], step["late_ms"], step["begun_by"], step["sequence"]) for step in last["steps"]][2:] == [
        ("order_delivered", 60 * MINUTE, None, 2),
        ("purchase", None, "company", 3),
        ("cart_abandoned", None, None, 0),
    ]
    said = " ".join(pipe.run("customer", "c1").stdout.split())
    assert "late by 1 h" in said
    assert "begun by the company" in said
    audited = pipe.run("audit", check=False)
    assert audited.returncode == 0, audited.stdout


def test_what_the_company_began_is_no_activity_of_the_customers(pipe: Pipe) -> None:
    new = encoder_of(pipe.env)
    renewed = touchpoint("renewed", T0, "purchase", begun_by="company")
    opened = touchpoint("opened", T0, "order_delivered", begun_by="customer")._replace(customer_id="c2")
    pipe.produce(
        [(KEY, new.encode(touchpoint_record(renewed))), (b"customer:c2", new.encode(touchpoint_record(opened)))]
    )
    pipe.work()
    found = {row.customer: row for row in pipe.sql("SELECT customer, begun_by_customer, is_visit FROM journey")}
    assert (found["customer:c1"].begun_by_customer, found["customer:c1"].is_visit) == (False, False)
    assert (found["customer:c2"].begun_by_customer, found["customer:c2"].is_visit) == (True, False)
    assert pipe.sql("SELECT customer FROM churn_risk") == []


def test_what_is_found_to_be_a_customers_keeps_its_order_who_began_it_and_its_lateness(pipe: Pipe) -> None:
    def of_cookie(event_id: str, **fields: Any) -> Touchpoint:
        return touchpoint(event_id, T0, **fields)._replace(customer_id=None, anonymous_id="cookie-1")

    pipe.publish(
        [
            of_cookie("second", kind="cart_added", sequence=2, due_at=T0 - MINUTE),
            of_cookie("first", kind="purchase", sequence=1, begun_by="company"),
        ]
    )
    pipe.work()
    signed_in = touchpoint("signed-in", T0 + MINUTE, "signed_in")._replace(anonymous_id="cookie-1")
    pipe.publish([signed_in])
    pipe.work()
    [row] = pipe.sql("SELECT steps FROM journey WHERE customer = 'customer:c1'")
    shown = ("kind", "via", "sequence", "begun_by", "late_ms")
    assert [tuple(step.get(name) for name in shown) for step in row.steps] == [
        ("purchase", "anonymous:cookie-1", 1, "company", None),
        ("cart_added", "anonymous:cookie-1", 2, None, MINUTE),
        ("signed_in", None, None, None, None),
    ]
    audited = pipe.run("audit", check=False)
    assert audited.returncode == 0, audited.stdout
