"""The worker on real servers: what it leaves in the tables and on the topics, and how it stops and starts."""

from __future__ import annotations

import json
import math
import re
import signal
import time
import urllib.request
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from harness import Pipe, wait_until
from recompute import recompute
from sqlalchemy import text

from pipeline.scores.churn.model import DEFAULT as CHURN
from pipeline.scores.churn.model import Activity, probability
from pipeline.topics import CHURN_RISK, JOURNEYS, SATISFACTION, TOUCHPOINTS
from pipeline.touchpoint import Feedback, Touchpoint

pytestmark = pytest.mark.long

NOW = int(time.time() * 1000)
MINUTE, DAY = 60_000, 86_400_000


def touchpoint(event_id: str, at: int = NOW - 10 * DAY, **fields: Any) -> Touchpoint:
    return Touchpoint(
        **{
            "event_id": event_id, "source": "shop", "occurred_at": at, "channel": "web", "kind": "page_viewed",
            "customer_id": "c1", **fields,
        }
    )  # fmt: skip


def ms(moment: Any) -> int:
    return round(moment.timestamp() * 1000)


def simulate(pipe: Pipe, events: int, *more: str) -> None:
    pipe.run("simulate", "--events", str(events), "--customers", str(max(50, events // 30)), "--seed", "5", *more)


def check_tables(pipe: Pipe) -> None:
    """The tables say what walking once over all events says."""
    expected = recompute(pipe.records(TOUCHPOINTS))
    found = {
        (r.customer, ms(r.started_at), ms(r.ended_at), r.touchpoints, tuple(sorted(r.channels.items())), r.failures,
         r.abandoned)
        for r in pipe.sql("SELECT * FROM journey WHERE merged_into IS NULL")
    }  # fmt: skip
    assert found == expected.journeys

    visits = {
        r.customer: (r.visits, ms(r.first_active_at), ms(r.last_active_at))
        for r in pipe.sql("SELECT * FROM churn_risk")
    }
    assert visits == expected.visits
    for r in pipe.sql("SELECT * FROM churn_risk"):
        closed = None if r.account_closed_at is None else ms(r.account_closed_at)
        activity = Activity(r.visits, ms(r.first_active_at), ms(r.last_active_at), closed)
        assert math.isclose(r.probability, probability(activity, ms(r.as_of), CHURN), abs_tol=1e-9)

    counts = {(r.stage, r.channel, r.kind): r for r in pipe.sql("SELECT * FROM touchpoint_score")}
    assert set(counts) == set(expected.counts)
    for key, sums in expected.counts.items():
        row = counts[key]
        assert (row.events, row.answers, row.satisfied, row.failures, row.abandoned, row.waits) == tuple(
            sums[n] for n in ("events", "answers", "satisfied", "failures", "abandoned", "waits")
        )
        if row.waits:
            assert math.isclose(row.wait_ms_mean, sums["wait_ms_sum"] / row.waits)

    satisfaction = {r.customer: (r.answered, r.score) for r in pipe.sql("SELECT * FROM satisfaction")}
    assert {k: v[0] for k, v in satisfaction.items()} == {k: v[0] for k, v in expected.satisfaction.items()}
    for key, (_, score) in expected.satisfaction.items():
        assert math.isclose(satisfaction[key][1], score, abs_tol=0.01)


def check_published(pipe: Pipe) -> None:
    """The latest record of each journey and customer is the table's row, and revisions go up."""
    revisions: dict[str, list[dict[str, Any]]] = {}
    for record in pipe.records(JOURNEYS):
        revisions.setdefault(record["journey_id"], []).append(record)
    rows = pipe.sql("SELECT *, journey_id::text AS id, merged_into::text AS into_id FROM journey")
    assert set(revisions) == {row.id for row in rows}
    for row in rows:
        told = revisions[row.id]
        numbers = [record["revision"] for record in told]
        assert numbers == sorted(numbers)
        last = told[-1]
        assert (last["revision"], last["status"], last["customer"]) == (row.revision, row.status, row.customer)
        assert (last["started_at"], last["ended_at"], last["covers_until"]) == (
            ms(row.started_at),
            ms(row.ended_at),
            ms(row.covers_until),
        )
        assert (last["touchpoints"], last["channels"], last["merged_into"]) == (
            row.touchpoints,
            row.channels,
            row.into_id,
        )
        assert [(s["channel"], s["kind"], s["outcome"]) for s in last["steps"]] == [
            (s["channel"], s["kind"], s["outcome"]) for s in row.steps
        ]
    for topic, table, names in (
        (SATISFACTION, "satisfaction", ("score", "low", "high", "answers", "answered", "model")),
        (CHURN_RISK, "churn_risk", ("probability", "band", "visits", "horizon_days", "model")),
    ):
        latest = {record["customer"]: record for record in pipe.records(topic)}
        stored = {row.customer: row for row in pipe.sql(f"SELECT * FROM {table}")}
        assert set(latest) == set(stored)
        for customer, row in stored.items():
            assert [latest[customer][name] for name in names] == [getattr(row, name) for name in names]
            assert latest[customer]["as_of"] == ms(row.as_of)
    assert pipe.sql("SELECT * FROM outbox") == []


def test_100000_events_with_5_percent_out_of_order_by_up_to_days_give_what_walking_once_gives(pipe: Pipe) -> None:
    simulate(pipe, 100_000, "--days", "30", "--disorder", "0.05", "--late-days", "3", "--duplicates", "0.02")
    pipe.work()
    [sums] = pipe.sql(
        "SELECT sum(processed) p, sum(duplicates) d, sum(quarantined) q, sum(next_offset) n FROM position"
    )
    assert (sums.p, sums.q) == (100_000, 0)
    assert sums.p + sums.d == sums.n
    assert sums.d > 1000
    check_tables(pipe)
    check_published(pipe)


def test_a_worker_killed_in_the_middle_and_started_again_gives_the_same_tables(pipe: Pipe) -> None:
    simulate(pipe, 30_000, "--days", "20", "--disorder", "0.05", "--duplicates", "0.02")
    for part in (0.2, 0.5, 0.7):
        worker = pipe.start_worker("--most-records", "100")
        wait_until(
            lambda part=part: pipe.sql("SELECT coalesce(sum(processed), 0) AS n FROM position")[0].n > part * 30_000,
            "it works",
        )
        worker.kill()
        worker.wait()
    pipe.work()
    assert pipe.sql("SELECT sum(processed) AS n FROM position")[0].n == 30_000
    check_tables(pipe)
    check_published(pipe)


def test_a_paused_worker_that_comes_back_is_refused_and_overwrites_nothing(pipe: Pipe) -> None:
    zombie = pipe.start_worker("--most-records", "50", PIPELINE_INSTANCE="zombie")
    pipe.publish([touchpoint(f"a{i}", customer_id=f"c{i}") for i in range(200)])
    wait_until(lambda: pipe.sql("SELECT sum(processed) AS n FROM position")[0].n == 200, "the first are processed")
    zombie.send_signal(signal.SIGSTOP)
    successor = pipe.start_worker(PIPELINE_INSTANCE="successor")
    pipe.publish([touchpoint(f"b{i}", customer_id=f"c{i}") for i in range(200)])
    wait_until(lambda: pipe.sql("SELECT sum(processed) AS n FROM position")[0].n == 400, "the successor goes on", 90)
    zombie.send_signal(signal.SIGCONT)
    pipe.publish([touchpoint(f"c{i}", customer_id=f"c{i}") for i in range(200)])
    wait_until(lambda: pipe.sql("SELECT sum(processed) AS n FROM position")[0].n == 600, "the rest is processed", 90)
    for worker in (zombie, successor):
        worker.terminate()
        assert worker.wait(60) == 0, pipe.log(pipe.workers.index(worker))
    assert pipe.sql("SELECT sum(processed) AS n FROM position")[0].n == 600
    check_tables(pipe)


def test_a_partition_that_was_taken_without_the_groups_knowledge_is_taken_back(pipe: Pipe) -> None:
    worker = pipe.start_worker()
    pipe.publish([touchpoint(f"a{i}", customer_id=f"c{i}") for i in range(200)])
    wait_until(lambda: pipe.sql("SELECT sum(processed) AS n FROM position")[0].n == 200, "the first are processed", 90)
    with pipe.engine.begin() as connection:
        connection.execute(text("UPDATE position SET epoch = epoch + 1, owner = 'a ghost' WHERE partition < 2"))
    pipe.publish([touchpoint(f"b{i}", customer_id=f"c{i}") for i in range(200)])
    wait_until(lambda: pipe.sql("SELECT sum(processed) AS n FROM position")[0].n == 400, "the rest is processed", 60)
    worker.terminate()
    assert worker.wait(60) == 0, pipe.log()
    assert "fenced off" in pipe.log()
    check_published(pipe)
    check_tables(pipe)


def test_a_worker_that_is_told_to_stop_commits_and_exits_with_0(pipe: Pipe) -> None:
    worker = pipe.start_worker()
    pipe.publish([touchpoint(f"{i}", customer_id=f"c{i}") for i in range(500)])
    wait_until(lambda: pipe.sql("SELECT sum(processed) AS n FROM position")[0].n == 500, "all is processed")
    worker.terminate()
    assert worker.wait(30) == 0, pipe.log()
    check_published(pipe)


def test_a_worker_that_still_waits_for_a_server_stops_at_once(pipe: Pipe) -> None:
    worker = pipe.start_worker(SCHEMA_REGISTRY_URL="http://127.0.0.1:1")
    wait_until(lambda: "trying again" in pipe.log(), "it waits for the registry")
    worker.terminate()
    assert worker.wait(20) == 0, pipe.log()
    assert "Traceback" not in pipe.log()


def test_an_empty_topic_is_idle_at_once(pipe: Pipe) -> None:
    pipe.work()
    assert pipe.sql("SELECT * FROM journey") == []


def test_a_late_touchpoint_joins_journeys_and_the_absorbed_one_gets_a_last_revision(pipe: Pipe) -> None:
    begin = NOW - 10 * DAY
    pipe.publish([touchpoint("a", begin), touchpoint("c", begin + 50 * MINUTE)])
    pipe.work()
    assert [r.status for r in pipe.sql("SELECT status FROM journey")] == ["closed", "closed"]
    pipe.publish([touchpoint("b", begin + 25 * MINUTE)])
    pipe.work()
    rows = {
        r.status: r for r in pipe.sql("SELECT *, journey_id::text AS id, merged_into::text AS into_id FROM journey")
    }
    assert rows["merged"].into_id == rows["closed"].id
    assert (rows["merged"].touchpoints, rows["closed"].touchpoints) == (0, 3)
    assert rows["merged"].revision == rows["closed"].revision == 3
    check_published(pipe)
    check_tables(pipe)


def test_silence_moves_a_customer_into_another_band_and_that_is_published(pipe: Pipe) -> None:
    begin = NOW - 300 * DAY
    pipe.publish([touchpoint(str(i), begin + i * 2 * DAY) for i in range(10)])
    pipe.work()
    [row] = pipe.sql("SELECT * FROM churn_risk")
    assert row.band == "high"
    assert ms(row.as_of) > NOW - DAY
    assert row.reasons[0]["code"] == "silence"
    told = pipe.records(CHURN_RISK)
    assert [record["band"] for record in told] == ["low", "high"]
    check_published(pipe)


def test_risk_as_of_any_moment_is_the_same_in_sql_as_in_python(pipe: Pipe) -> None:
    pipe.publish([touchpoint(str(i), NOW - 60 * DAY + i * 3 * DAY) for i in range(6)])
    pipe.work()
    [now] = pipe.sql("SELECT * FROM churn_risk_now")
    [later] = pipe.sql("SELECT * FROM churn_risk_at(now() + interval '200 days')")
    activity = Activity(6, NOW - 60 * DAY, NOW - 45 * DAY)
    assert math.isclose(now.probability, probability(activity, ms(now.as_of), CHURN), abs_tol=1e-6)
    assert later.probability > now.probability
    assert later.band == "high"


def test_scores_say_how_sure_they_are(pipe: Pipe) -> None:
    pipe.publish(
        [
            touchpoint("a", feedback=Feedback("csat", 5)),
            touchpoint("b", customer_id="c2"),
            *[touchpoint(f"d{i}", customer_id="c3", feedback=Feedback("csat", 5)) for i in range(20)],
        ]
    )
    pipe.work()
    rows = {r.customer: r for r in pipe.sql("SELECT * FROM satisfaction")}
    assert set(rows) == {"customer:c1", "customer:c3"}
    one, twenty = rows["customer:c1"], rows["customer:c3"]
    assert 73 < one.score < twenty.score < 100
    assert twenty.high - twenty.low < one.high - one.low
    [score] = pipe.sql("SELECT * FROM touchpoint_score")
    assert (score.answers, score.satisfied, score.score, score.high) == (21, 21, 1, 1)
    assert 0.8 < score.low < 1


def test_metrics_and_health_tell_what_goes_on(pipe: Pipe) -> None:
    worker = pipe.start_worker()
    pipe.publish([touchpoint(f"{i}", customer_id=f"c{i}") for i in range(300)])
    pipe.produce([(b"x", b"nonsense")])
    pipe.publish([touchpoint("0", customer_id="c0")])

    def address() -> Any:
        return re.search(r'"address": "([^"]+)"', pipe.log())

    where = "http://" + wait_until(address, "the metrics' address is logged")[1]

    def read(path: str) -> str:
        with urllib.request.urlopen(where + path, timeout=10) as answer:
            return str(answer.read().decode())

    def metrics() -> dict[str, float]:
        lines = [line for line in read("/metrics").splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    wait_until(lambda: metrics().get("pipeline_event_latency_seconds_count") == 302, "all is counted")
    found = metrics()
    assert found['pipeline_events_total{channel="web"}'] == 300
    assert found['pipeline_rejected_total{reason="bad_magic"}'] == 1
    assert found["pipeline_duplicates_total"] == 1
    assert found['pipeline_journeys_total{status="open"}'] == 300
    for name in (
        "pipeline_batch_seconds_count", "pipeline_open_journeys", "pipeline_unpublished_journeys",
        'pipeline_late_total{channel="web"}', 'pipeline_watermark_seconds{partition="0"}',
    ):  # fmt: skip
        assert name in found
    wait_until(lambda: metrics().get('pipeline_lag_records{partition="0"}') == 0, "lag is shown")
    assert read("/healthz") == "alive\n"
    wait_until(lambda: "ready" in read("/readyz"), "it is ready")
    worker.terminate()
    assert worker.wait(30) == 0


def test_logs_are_json_without_personal_data(pipe: Pipe) -> None:
    secret = "kundin-4711"
    pipe.publish([touchpoint("a", customer_id=secret, feedback=Feedback("csat", 1, "streng geheim"))])
    pipe.produce([(f"customer:{secret}".encode(), secret.encode())])
    pipe.work()
    assert all(json.loads(line)["event"] for line in pipe.log().splitlines())
    assert secret not in pipe.log()
    assert "geheim" not in pipe.log()


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("PIPELINE_METRICS_ADDRESS", "nowhere", "PIPELINE_METRICS_ADDRESS"),
        ("PIPELINE_POLICY", "/nowhere.toml", "PIPELINE_POLICY"),
        ("DATABASE_URL", "mysql://x", "DATABASE_URL"),
    ],
)
def test_a_wrong_setting_is_named_and_the_exit_code_is_2(pipe: Pipe, setting: str, value: str, said: str) -> None:
    pipe.env[setting] = value
    done = pipe.run("worker", check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_topic_that_is_shorter_than_the_ledger_says_is_refused_before_anything_is_passed_over(pipe: Pipe) -> None:
    pipe.publish([touchpoint("a")])
    pipe.work()
    with pipe.engine.begin() as connection:
        connection.execute(text("UPDATE position SET next_offset = next_offset + 100"))
    done = pipe.run("worker", "--until-idle", "2", check=False)
    assert done.returncode == 2
    assert "the topic ends at" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_worker_that_stops_leaves_the_group_and_gives_its_partitions_to_the_others(pipe: Pipe) -> None:
    first, second = (pipe.start_worker(PIPELINE_INSTANCE=name) for name in ("first", "second"))

    def owners() -> set[str]:
        return {row.owner for row in pipe.sql("SELECT owner FROM position")}

    wait_until(lambda: owners() == {"first", "second"}, "both have partitions", 90)
    first.terminate()
    assert first.wait(60) == 0, pipe.log(0)
    group = pipe.env["PIPELINE_GROUP"]
    admin = AdminClient({"bootstrap.servers": pipe.env["KAFKA_BOOTSTRAP_SERVERS"]})
    members = admin.describe_consumer_groups([group])[group].result(10).members
    assert [member.group_instance_id for member in members] == ["second"]
    wait_until(lambda: owners() == {"second"}, "the other has them all")
    second.terminate()
    assert second.wait(60) == 0, pipe.log(1)
