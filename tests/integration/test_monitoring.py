"""What operators see while something is broken: metrics, /readyz and logs tell it, and go on telling it."""

from __future__ import annotations

import json
import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import Producer
from harness import Pipe, encoder_of, wait_until
from test_journeys_topic import alter, touchpoints

from pipeline.contract.encode import touchpoint_record
from pipeline.local.stack import Stack
from pipeline.topics import EXCHANGE, JOURNEYS
from pipeline.touchpoint import Identifier, Touchpoint, own_key

pytestmark = pytest.mark.long


def address(pipe: Pipe) -> str:
    """Where the worker that was started last serves its metrics."""
    found = wait_until(lambda: re.search(r'"address": "([^"]+)"', pipe.log()), "metrics are served")
    return str(found[1])


def metrics(pipe: Pipe) -> dict[str, float]:
    """Samples of the last worker, each name and labels as Prometheus reads them."""
    return served(address(pipe))


def served(at: str) -> dict[str, float]:
    """Samples that a worker serves at an address."""
    with urllib.request.urlopen(f"http://{at}/metrics", timeout=10) as answer:
        lines = [line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def total(pipe: Pipe, name: str) -> float:
    """The sum of a metric over its labels."""
    return sum(value for sample, value in metrics(pipe).items() if sample.partition("{")[0] == name)


def oldest(pipe: Pipe) -> float:
    """The age of the oldest record that waits."""
    return max(value for name, value in metrics(pipe).items() if name.startswith("pipeline_lag_seconds"))


def readyz(pipe: Pipe) -> str:
    try:
        with urllib.request.urlopen(f"http://{address(pipe)}/readyz", timeout=10) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as refused:
        return str(refused.read().decode())


@contextmanager
def postgres_away(stack: Stack) -> Iterator[None]:
    server = stack.server("postgres")
    server.stop(hard=True)
    try:
        yield
    finally:
        server.start()
        server.wait_ready()


def test_lag_grows_while_the_database_is_away_and_is_there_right_after_a_restart(pipe: Pipe, stack: Stack) -> None:
    pipe.publish(touchpoints(0))
    pipe.start_worker()
    wait_until(lambda: total(pipe, "pipeline_events_total") == 60, "all is processed")
    wait_until(lambda: readyz(pipe) == "ready\n", "the worker is ready")
    encoder = encoder_of(pipe.env)  # the registry, too, needs the database here
    with postgres_away(stack):
        for day in (1, 2):  # the lag does not stand still
            pipe.produce(
                [((own_key(t) or "").encode(), encoder.encode(touchpoint_record(t))) for t in touchpoints(day)]
            )
            wait_until(lambda day=day: total(pipe, "pipeline_lag_records") == 60 * day, "the lag is shown")
        wait_until(lambda: readyz(pipe).startswith("waiting for database for"), "/readyz says who is away")
        wait_until(lambda: metrics(pipe)['pipeline_away_seconds{server="database"}'] > 3, "for how long")
        age = oldest(pipe)
        pipe.workers[-1].kill()
        pipe.workers[-1].wait()
        pipe.start_worker()
        wait_until(lambda: total(pipe, "pipeline_lag_records") == 120, "a new process shows the lag", 20)
        wait_until(lambda: oldest(pipe) > age, "and how old it is", 20)
        assert total(pipe, "pipeline_assigned_partitions") == 0
        assert metrics(pipe)["pipeline_topic_partitions"] == 4
    wait_until(lambda: readyz(pipe) == "ready\n", "the worker is ready again")
    wait_until(lambda: total(pipe, "pipeline_lag_records") == 0, "the lag is gone")
    assert metrics(pipe)['pipeline_away_seconds{server="database"}'] == 0


def test_what_cannot_be_published_grows_older_also_over_a_restart_and_readyz_says_why(pipe: Pipe) -> None:
    pipe.work()
    alter(pipe, {"max.message.bytes": "100"})
    pipe.publish(touchpoints(0))
    pipe.start_worker()
    wait_until(lambda: total(pipe, "pipeline_unpublished_seconds") > 4, "what is not published is shown, with its age")
    assert total(pipe, "pipeline_unpublished_journeys") == 20
    said = wait_until(lambda: re.search("waiting for publishing for .*", readyz(pipe)), "/readyz says what is wrong")
    assert JOURNEYS in said[0] and "large" in said[0].lower(), said[0]
    before = total(pipe, "pipeline_unpublished_seconds")
    pipe.workers[-1].kill()
    pipe.workers[-1].wait()
    pipe.start_worker()
    wait_until(lambda: total(pipe, "pipeline_unpublished_seconds") > before, "a new process knows it, too")
    alter(pipe, {"max.message.bytes": "1048588"})
    wait_until(lambda: total(pipe, "pipeline_unpublished_seconds") == 0, "all is published")
    wait_until(lambda: readyz(pipe) == "ready\n", "the worker is ready")
    assert len({record["journey_id"] for record in pipe.records(JOURNEYS)}) == 20


def test_shared_keys_customers_with_many_keys_and_the_exchange_are_shown(pipe: Pipe) -> None:
    at = int(time.time() * 1000) - 3_600_000
    visit = Touchpoint("1", "b", at, channel="branch", kind="counter_served")
    devices = tuple([Identifier("device", f"d{number}") for number in range(60)])
    shared = [visit._replace(event_id=f"t{n}", customer_id=f"c{n}", anonymous_id="tablet") for n in range(7)]
    pipe.publish([visit._replace(customer_id="hub", identifiers=devices), *shared])
    addresses = []
    for _ in range(2):  # one of them has partition 0
        pipe.start_worker("--sweep", "1")
        addresses.append(address(pipe))

    def over_workers(name: str, of: Callable[[list[float]], float]) -> float:
        return of([value for each in addresses for sample, value in served(each).items() if sample == name])

    wait_until(lambda: over_workers("pipeline_most_keys_of_a_customer", max) == 60, "the most keys are shown")
    wait_until(lambda: over_workers("pipeline_customers_with_many_keys", sum) == 1, "by one worker")
    wait_until(lambda: over_workers('pipeline_shared_keys{why="shared"}', sum) == 1, "the tablet is shared")
    assert over_workers('pipeline_shared_keys{why="overfull"}', sum) == 0
    lags = [f'pipeline_exchange_lag_records{{partition="{number}"}}' for number in range(4)]
    wait_until(lambda: [over_workers(lag, max) for lag in lags] == [0, 0, 0, 0], "nothing waits in the exchange")
    _append_and_abort(pipe, EXCHANGE, b"x")
    time.sleep(3)  # it has been looked at since
    wait_until(lambda: [over_workers(lag, max) for lag in lags] == [0, 0, 0, 0], "what was aborted does not wait", 90)


def _append_and_abort(pipe: Pipe, topic: str, value: bytes) -> None:
    servers = pipe.env["KAFKA_BOOTSTRAP_SERVERS"]
    producer = Producer({"bootstrap.servers": servers, "transactional.id": "fenced off"})
    producer.init_transactions(30)
    producer.begin_transaction()
    for number in range(4):
        producer.produce(topic, value, partition=number)
    producer.flush(30)
    producer.abort_transaction(30)


def test_every_log_line_is_json_to_the_bitter_end(pipe: Pipe, stack: Stack) -> None:
    pipe.publish(touchpoints(0))
    worker = pipe.start_worker("--give-up", "2")
    wait_until(lambda: total(pipe, "pipeline_events_total") == 60, "all is processed")
    with postgres_away(stack):
        assert worker.wait(60) == 1
    lines = [json.loads(line) for line in pipe.log().splitlines()]
    assert all({"event", "level", "logger", "timestamp", "version"} <= line.keys() for line in lines)
    assert lines[-1]["event"] == "the worker ends"
    assert lines[-1]["exit_code"] == 1 and "The database pipeline" in lines[-1]["error"]
    assert all(line["instance"] for line in lines if line["event"] in ("partitions taken", "the worker ends"))


def test_an_old_worker_at_a_newer_database_is_told_to_be_replaced(pipe: Pipe) -> None:
    [[revision]] = pipe.sql("SELECT version_num FROM alembic_version")
    with pipe.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    try:
        done = pipe.run("worker", "--until-idle", "1", check=False)
    finally:
        with pipe.engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
    assert done.returncode == 2
    assert "A newer version has migrated it: start that one instead." in done.stderr
    assert "pipeline init" not in done.stderr


def test_a_migration_does_not_wait_for_a_lock_for_long(pipe: Pipe) -> None:
    with pipe.engine.connect() as connection:
        connection.exec_driver_sql("LOCK TABLE touchpoint_count IN ACCESS EXCLUSIVE MODE")
        done = pipe.run("init", check=False)
        connection.rollback()
    assert done.returncode == 1
    assert "A table was locked for 10 seconds, and nothing has been changed." in done.stderr
    assert pipe.run("init").returncode == 0


def test_audits_at_intervals_have_metrics_and_end_on_sigterm(pipe: Pipe) -> None:
    pipe.publish(touchpoints(0))
    pipe.work()
    audit = pipe.start_command("audit", "--every", "2s")
    found = wait_until(lambda: re.search(r'"metrics": "([^"]+)"', pipe.log()), "metrics are served")

    def served() -> dict[str, float]:
        with urllib.request.urlopen(f"http://{found[1]}/metrics", timeout=10) as answer:
            return {
                name: float(value)
                for name, value in (line.split() for line in answer.read().decode().splitlines() if line[0] != "#")
            }

    wait_until(lambda: served()["pipeline_audit_records"] == 60, "an audit has been made")
    assert served()["pipeline_audit_differences"] == 0
    assert served()["pipeline_audit_interval_seconds"] == 2
    with pipe.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE journey SET failures = 7 WHERE customer = 'customer:c1'")
    wait_until(lambda: served()["pipeline_audit_differences"] == 1, "the next one finds what was changed")
    audit.send_signal(signal.SIGTERM)
    assert audit.wait(30) == 128 + signal.SIGTERM
    lines = [json.loads(line) for line in pipe.log().splitlines()]
    assert [line["level"] for line in lines if line["event"] == "audited"][-1] == "error"
    assert lines[-1].get("differing") == {"journey": 1}


@pytest.mark.parametrize("interval", ["soon", "0s", "5"])
def test_an_interval_that_is_none_is_refused(pipe: Pipe, interval: str) -> None:
    done = pipe.run("audit", "--every", interval, check=False)
    assert done.returncode == 2 and "is no interval such as 30m, 6h or 1d" in done.stderr
