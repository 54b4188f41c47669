"""`pipeline topic`: records are shown and found, and journeys.v1 is put right after a restore."""

from __future__ import annotations

import json

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from harness import TABLES, Pipe, encoder_of, wait_until
from test_journeys_topic import fields, of_table, read_all, touchpoints

from pipeline.contract.encode import touchpoint_record
from pipeline.topics import FORWARDED_HEADER, JOURNEYS, TOUCHPOINTS
from pipeline.touchpoint import Touchpoint

pytestmark = pytest.mark.long


def restored(pipe: Pipe) -> None:
    """Bring the tables back to what `back_up` kept."""
    with pipe.engine.begin() as connection:
        for table in TABLES.split(", "):
            connection.exec_driver_sql(f"TRUNCATE {table}")
            connection.exec_driver_sql(f"INSERT INTO {table} SELECT * FROM backup.{table}")
        connection.exec_driver_sql("DROP SCHEMA backup CASCADE")


def back_up(pipe: Pipe) -> None:
    with pipe.engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA backup")
        for table in TABLES.split(", "):
            connection.exec_driver_sql(f"CREATE TABLE backup.{table} AS SELECT * FROM {table}")


def test_a_record_with_the_wrong_key_is_found_and_shown_where_it_came_from(pipe: Pipe) -> None:
    [touchpoint, *_] = touchpoints(0)
    value = encoder_of(pipe.env).encode(touchpoint_record(touchpoint))
    pipe.produce([(b"wrong", value)])
    pipe.work()
    found = json.loads(pipe.run("topic", "find", "--header", FORWARDED_HEADER, "--since", "1h", "--json").stdout)
    assert found["records"] == 1
    [place] = [each["header"] for each in found["latest"]]
    shown = pipe.run("topic", "show", place).stdout
    assert "key       wrong" in shown and '"source": "shop"' in shown
    [plain] = json.loads(pipe.run("topic", "show", place, "--json").stdout)
    assert bytes.fromhex(plain["value"]) == value
    assert plain["decoded"]["event_id"] == touchpoint.event_id
    there = pipe.run("topic", "show", found["latest"][0]["record"]).stdout
    assert f"{FORWARDED_HEADER}: {place}" in there
    assert "No record since" in pipe.run("topic", "find", "--header", "other", "--since", "1h").stdout


def test_a_place_without_a_record_is_named_with_what_the_partition_has(pipe: Pipe) -> None:
    pipe.publish(touchpoints(0))
    done = pipe.run("topic", "show", "0/99999", check=False)
    assert done.returncode == 2
    assert f"{TOUCHPOINTS} has no record at 0/99999. Partition 0 has records from offset 0 up to" in done.stderr


def test_after_a_restore_consumers_of_the_highest_revision_have_what_the_tables_say(pipe: Pipe) -> None:
    pipe.publish(touchpoints(0))
    pipe.work()
    back_up(pipe)
    # After the backup, journeys get more revisions on the way to what they are in the end than they get afterwards.
    for number in range(4):
        pipe.publish([later(customer, number) for customer in range(20)])
        pipe.work()
    restored(pipe)
    pipe.work()  # what the topic holds since then is processed again, in one batch
    before = {key: fields(journey) for key, journey in read_all(pipe, "before").items()}
    assert before != of_table(pipe), "nothing is stale: the test shows nothing"

    planned = pipe.run("topic", "republish", "--dry-run").stdout
    assert "to publish anew: 20 journeys" in planned and "Nothing was done" in planned
    assert {key: fields(journey) for key, journey in read_all(pipe, "dry").items()} == before
    said = pipe.run("topic", "republish").stdout
    assert "to publish anew: 20 journeys" in said and "deleted: 0 journeys" in said
    pipe.work()
    assert {key: fields(journey) for key, journey in read_all(pipe, "after").items()} == of_table(pipe)
    assert "to publish anew: 0 journeys" in pipe.run("topic", "republish").stdout
    pipe.run("audit")


def later(customer: int, number: int) -> Touchpoint:
    [first] = [each for each in touchpoints(0) if each.event_id == f"0-{customer}-0"]
    return first._replace(event_id=f"later-{customer}-{number}", occurred_at=first.occurred_at + 200_000 + number)


def test_journeys_that_the_tables_do_not_have_are_deleted_from_the_topic(pipe: Pipe) -> None:
    pipe.publish(touchpoints(0))
    pipe.work()
    with pipe.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM journey WHERE customer = 'customer:c1'")
    said = pipe.run("topic", "republish").stdout
    assert "deleted: 1 journey," in said
    deleted = [message for message in pipe.messages(JOURNEYS) if message.value() is None]
    assert [bytes(message.key() or b"").startswith(b"customer:c1/") for message in deleted] == [True]
    assert "deleted: 0 journeys" in pipe.run("topic", "republish").stdout


def test_a_rebuild_says_first_what_the_topic_no_longer_holds(pipe: Pipe) -> None:
    pipe.publish(touchpoints(0))
    pipe.work()
    before = {key: row[1:] for key, row in of_table(pipe).items()}
    said = pipe.run("rebuild", input="y\n")
    assert "The tables hold 20 journeys. The topic holds 60 records, all there were." in said.stdout
    assert "Warning" not in said.stderr
    assert pipe.sql("SELECT count(*) FROM journey") == [(0,)]
    pipe.work()
    assert {key: row[1:] for key, row in of_table(pipe).items()} == before

    admin = AdminClient({"bootstrap.servers": pipe.env["KAFKA_BOOTSTRAP_SERVERS"]})
    [ends] = pipe.sql("SELECT array_agg(next_offset ORDER BY partition) FROM position")
    partitions = [TopicPartition(TOUCHPOINTS, number, end) for number, end in enumerate(ends[0])]
    for future in admin.delete_records(partitions).values():
        future.result(30)
    refused = pipe.run("rebuild", input="n\n", check=False)
    assert "Warning: partition 0 of touchpoints.v1 begins at offset" in refused.stderr
    assert "and no longer the 60 offsets before them" in refused.stdout
    assert refused.returncode == 130
    assert {key: row[1:] for key, row in of_table(pipe).items()} == before, "nothing was emptied"


def test_while_a_worker_runs_nothing_is_republished(pipe: Pipe) -> None:
    pipe.publish(touchpoints(0))
    pipe.work()
    pipe.start_worker()
    wait_until(lambda: "partitions taken" in pipe.log(), "the worker takes part")
    done = pipe.run("topic", "republish", check=False)
    assert done.returncode == 2
    assert "1 worker of the group" in done.stderr and "Stop" in done.stderr
