"""The audit on real servers: beside workers at work, with nothing to read, a part expired, and servers away."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from harness import PARTITIONS, Pipe, encoder_of, wait_until
from sqlalchemy import text

from pipeline.contract.encode import touchpoint_record
from pipeline.topics import TOUCHPOINTS
from pipeline.touchpoint import Touchpoint

pytestmark = pytest.mark.long

DAY = 86_400_000
NOW = int(time.time() * 1000)


def audit(pipe: Pipe, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = pipe.run("audit", "--json", *arguments, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def processed(pipe: Pipe) -> int:
    return int(pipe.sql("SELECT coalesce(sum(processed), 0) AS n FROM position")[0].n)


def test_beside_workers_at_work_nothing_is_wrongly_a_difference(pipe: Pipe) -> None:
    workers = [pipe.start_worker("--most-records", "100", "--sweep", "1", PIPELINE_INSTANCE=n) for n in ("one", "two")]
    simulating = subprocess.Popen(
        [
            sys.executable, "-m", "pipeline", "simulate", "--events", "1000000", "--customers", "500", "--rate", "500",
            "--seed", "3", "--disorder", "0.1", "--late-days", "0.01", "--duplicates", "0.05",
        ],
        env=pipe.env, cwd=pipe.folder, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        reached = 0
        for number in range(3):
            wait_until(lambda reached=reached: processed(pipe) > reached, "more is processed")
            code, found = audit(pipe)
            assert (code, found["differences"]) == (0, [])
            assert found["records"] > reached
            reached = found["records"]
            if number == 1:
                workers[0].terminate()  # its partitions go over to the other
    finally:
        simulating.kill()
        simulating.wait()
    for worker in workers:
        worker.terminate()
        assert worker.wait(60) == 0
    code, found = audit(pipe)
    assert (code, found["differences"]) == (0, [])


def test_with_nothing_processed_there_is_nothing_to_differ(pipe: Pipe) -> None:
    pipe.publish([Touchpoint("a", "shop", NOW - DAY, channel="web", kind="page_viewed", customer_id="1")])
    code, found = audit(pipe)
    assert (code, found["records"], found["differences"]) == (0, 0, [])
    assert "No differences" in pipe.run("audit").stdout


def test_rows_without_a_topic_to_account_for_them_are_differences(pipe: Pipe) -> None:
    pipe.work()
    with pipe.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO touchpoint_count "
                "VALUES (0, 'after', 'web', 'purchase', true, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)"
            )
        )
    code, found = audit(pipe)
    assert code == 1
    [difference] = found["differences"]
    assert (difference["table"], difference["column"], difference["found"]) == ("touchpoint_count", "(row)", "a row")


def test_it_goes_by_the_policy_that_the_workers_had(pipe: Pipe) -> None:
    policy = pipe.folder / "policy.toml"
    policy.write_text('gap = "3h"\n')
    shared: dict[str, Any] = {"source": "shop", "channel": "web", "kind": "page_viewed", "customer_id": "1"}
    pipe.publish([Touchpoint(event_id=str(n), occurred_at=NOW - 3 * DAY + n * 3_600_000, **shared) for n in range(5)])
    default = dict(pipe.env)
    pipe.env["PIPELINE_POLICY"] = str(policy)
    pipe.work()
    assert audit(pipe)[0] == 0
    pipe.env.clear()
    pipe.env.update(default)
    code, found = audit(pipe)
    assert code == 1
    assert {"journey", "churn_risk"} == {each["table"] for each in found["differences"]}


def test_of_a_topic_whose_beginning_has_expired_what_it_can_still_tell_is_compared(pipe: Pipe) -> None:
    """Records carry their event's time here, so that those of six weeks ago can be six weeks old in the topic."""
    servers = pipe.env["KAFKA_BOOTSTRAP_SERVERS"]
    admin = AdminClient({"bootstrap.servers": servers})
    admin.delete_topics([TOUCHPOINTS])[TOUCHPOINTS].result(30)
    wait_until(lambda: TOUCHPOINTS not in admin.list_topics(timeout=10).topics, "the topic is deleted")
    own_time = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}
    admin.create_topics([NewTopic(TOUCHPOINTS, PARTITIONS, 1, config=own_time)])[TOUCHPOINTS].result(30)
    encoder = encoder_of(pipe.env)
    producer = Producer({"bootstrap.servers": servers, "partitioner": "murmur2_random"})
    for day in range(40):
        for customer in range(day // 20 * 20, 20 + day // 20 * 20):  # others come after the twentieth day
            for number, name in enumerate((f"{customer}", f"regular-{customer % 20}")):
                touchpoint = Touchpoint(
                    f"{day}-{number}", "shop", NOW - (41 - day) * DAY, channel="web", kind="page_viewed",
                    customer_id=name,
                )  # fmt: skip
                key = f"customer:{name}".encode()
                value = encoder.encode(touchpoint_record(touchpoint))
                producer.produce(TOUCHPOINTS, value, key, timestamp=touchpoint.occurred_at)
    assert producer.flush(30) == 0
    pipe.work()
    assert audit(pipe)[0] == 0

    ends = {row.partition: row.next_offset for row in pipe.sql("SELECT partition, next_offset FROM position")}
    gone = [TopicPartition(TOUCHPOINTS, number, end * 2 // 5) for number, end in ends.items()]
    for deleted in admin.delete_records(gone).values():
        deleted.result(30)
    done = pipe.run("audit", "--json")
    found = json.loads(done.stdout)
    assert found["differences"] == []
    assert len(found["expired"]) == PARTITIONS
    assert "no longer holds the beginning of partition 0" in done.stderr
    tables = {table["table"]: table for table in found["tables"]}
    for name in ("journey", "churn_risk"):
        assert tables[name]["rows"] > 0
        assert tables[name]["left_out"] > 0

    with pipe.engine.begin() as connection:
        connection.execute(
            text("DELETE FROM journey WHERE customer = 'customer:regular-1' AND started_at > now() - interval '3 days'")
        )
        connection.execute(text("UPDATE churn_risk SET visits = visits + 1 WHERE customer = 'customer:25'"))
        connection.execute(text("UPDATE touchpoint_count SET events = 1 WHERE partition = 0"))
        connection.execute(text("UPDATE position SET processed = 1 WHERE partition = 0"))
    code, found = audit(pipe)
    assert code == 1
    assert {(d["table"], d["column"]) for d in found["differences"]} == {
        ("journey", "(row)"), ("churn_risk", "visits"), ("touchpoint_count", "events"), ("position", "processed"),
    }  # fmt: skip


def test_a_topic_that_is_shorter_than_the_tables_say_can_not_be_compared(pipe: Pipe) -> None:
    pipe.work()
    with pipe.engine.begin() as connection:
        connection.execute(text("UPDATE position SET next_offset = 100 WHERE partition = 1"))
    done = pipe.run("audit", check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{TOUCHPOINTS}/1" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("setting", "value", "code", "said"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1", 1, "Kafka at 127.0.0.1:1 does not answer"),
        ("DATABASE_URL", "postgresql+psycopg://nobody:secret@127.0.0.1:1/none", 1, "The database none at 127.0.0.1:1"),
        ("PIPELINE_POLICY", "/nowhere.toml", 2, "/nowhere.toml"),
    ],
)
def test_what_is_away_or_wrong_is_named(pipe: Pipe, setting: str, value: str, code: int, said: str) -> None:
    pipe.env[setting] = value
    done = pipe.run("audit", check=False)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_is_not_migrated_is_named(pipe: Pipe) -> None:
    bare = pipe.env["DATABASE_URL"].rsplit("/", 1)[0] + "/bare"
    with pipe.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CREATE DATABASE bare"))
    try:
        pipe.env["DATABASE_URL"] = bare
        done = pipe.run("audit", check=False)
        assert done.returncode == 2
        assert "pipeline init" in done.stderr
    finally:
        with pipe.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("DROP DATABASE bare"))


def test_it_leaves_nothing_behind_also_when_it_is_stopped(pipe: Pipe, tmp_path: Path) -> None:
    pipe.run("simulate", "--events", "3000")
    pipe.work()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    pipe.env["TMPDIR"] = str(temporary)
    assert audit(pipe)[0] == 0
    assert list(temporary.iterdir()) == []
    stopped = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "audit"],
        env=pipe.env, cwd=pipe.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_until(lambda: list(temporary.glob("*/*.csv")), "it has begun to read")
    stopped.terminate()
    _, said = stopped.communicate(timeout=60)
    assert stopped.returncode == 143
    assert "Traceback" not in said
    assert list(temporary.iterdir()) == []
