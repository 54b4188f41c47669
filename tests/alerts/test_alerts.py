"""Every alert: when it must fire and by when, and when it must not. Needs promtool, which comes with Prometheus."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import yaml
from fleet import DEPLOY, OWNERS, RATE, Fleet, promtool
from prometheus_client import generate_latest

from pipeline.observe.audit_metrics import AuditMetrics
from pipeline.observe.health import Health
from pipeline.observe.health_metrics import HealthMetrics
from pipeline.observe.metrics import Metrics

pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed; it comes with Prometheus"
)
#: Seconds by which a warning and a critical alert must have come.
WARNING, CRITICAL = 60, 120
#: When the fault begins in these tests: late enough for windows to be full.
T = 1200
NOTHING: tuple[str, ...] = ()

Check = Callable[[Fleet, dict[int, Iterable[str]]], None]


@pytest.fixture
def check(tmp_path: Path, request: pytest.FixtureRequest) -> Check:
    def run(fleet: Fleet, firing: dict[int, Iterable[str]]) -> None:
        done = promtool(fleet.test(request.node.name, firing), tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def test_the_rules_and_the_configuration_are_valid() -> None:
    for arguments in (["rules", "recording.yml"], ["rules", "alerts.yml"], ["config", "prometheus.yml"]):
        done = subprocess.run(["promtool", "check", *arguments], cwd=DEPLOY, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_metrics_are_named_and_described_as_they_should_be() -> None:
    registry = Metrics().registry
    HealthMetrics(Health(), registry)
    served = generate_latest(registry) + generate_latest(AuditMetrics(3600).registry)
    done = subprocess.run(["promtool", "check", "metrics"], input=served, capture_output=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_every_alert_is_tested_here() -> None:
    source = Path(__file__).read_text()
    rules = [rule for group in yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
    assert [rule["alert"] for rule in rules if f'"{rule["alert"]}"' not in source] == []


def test_a_healthy_fleet_is_silent(check: Check) -> None:
    check(Fleet(1800), dict.fromkeys(range(0, 1801, 60), NOTHING))


def test_a_day_of_ordinary_life_is_silent(check: Check) -> None:
    """A quiet night, a rolling restart, a kill, single bad records, wrong keys now and then, one pause."""
    day = 86_400
    fleet = Fleet(day, step_s=20)
    for instance in ("w1", "w2"):
        for name in ("pipeline_events_total", "pipeline_event_latency_seconds_count"):
            labels = {"channel": "web"} if name == "pipeline_events_total" else {}
            fleet.counter(name, 0, since=3_600, until=4 * 3_600, instance=instance, **labels)
            fleet.counter(name, RATE, since=4 * 3_600, instance=instance, **labels)
        for le in ("0.1", "10.0", "30.0", "+Inf"):
            name = "pipeline_event_latency_seconds_bucket"
            fleet.counter(name, 0, since=3_600, until=4 * 3_600, instance=instance, le=le)
            fleet.counter(name, RATE, since=4 * 3_600, instance=instance, le=le)
    for partition, instance in (("0", "w1"), ("1", "w1"), ("2", "w2"), ("3", "w2")):
        fleet.counter("pipeline_next_offset", 0, since=3_600, until=4 * 3_600, instance=instance, partition=partition)
        fleet.counter("pipeline_next_offset", RATE / 2, since=4 * 3_600, instance=instance, partition=partition)
        for name in ("pipeline_lag_records", "pipeline_lag_seconds"):
            fleet.set(name, 0, since=3_600, until=4 * 3_600, instance=instance, partition=partition)
    fleet.set("pipeline_rejected_total", 2, since=20_000, instance="w1", reason="out_of_range")
    fleet.set("pipeline_rejected_total", 4, since=50_000, instance="w1", reason="out_of_range")
    fleet.set("pipeline_forwarded_total", 5, since=52_000, instance="w1")
    fleet.set("pipeline_fenced_total", 12, since=54_000, instance="w1")
    fleet.set("pipeline_away_seconds", 6, since=56_000, until=56_010, instance="w1", server="database")
    for at, instance in ((30_000, "w1"), (30_060, "w2"), (60_000, "w1")):
        fleet.restarted(instance, at)
    check(fleet, dict.fromkeys(range(0, day, 30), NOTHING))


def test_workers_that_all_die(check: Check) -> None:
    fleet = Fleet(T + 600)
    for instance in ("w1", "w2"):
        fleet.not_scraped(instance, since=T, until=T + 300)
        fleet.restart(instance, T + 300)
    check(
        fleet,
        {
            T: NOTHING,
            T + WARNING: ["PipelineNoWorker", "PipelineWorkerDown", "PipelineWorkerDown"],
            T + 310: NOTHING,
            T + 600: NOTHING,
        },
    )


def test_a_container_that_discovery_drops(check: Check) -> None:
    fleet = Fleet(T + 1200)
    fleet.not_scraped("w2", since=T, known=False)
    fleet.set("pipeline_assigned_partitions", 4, since=T + 20, instance="w1")
    for name in ("pipeline_lag_records", "pipeline_lag_seconds", "pipeline_held_back_records"):
        for partition in ("2", "3"):
            fleet.set(name, 0, since=T + 20, instance="w1", partition=partition)
    check(fleet, {T: NOTHING, T + WARNING: ["PipelineWorkerGone"], T + 1000: NOTHING})


def test_all_containers_that_discovery_drops(check: Check) -> None:
    fleet = Fleet(T + 300)
    for instance in ("w1", "w2"):
        fleet.not_scraped(instance, since=T, known=False)
    check(fleet, {T + WARNING: ["PipelineNoWorker", "PipelineWorkerGone"]})


def test_partitions_without_an_owner(check: Check) -> None:
    fleet = Fleet(T + 600)
    fleet.set("pipeline_assigned_partitions", 0, since=T, until=T + 300, instance="w2")
    check(
        fleet,
        {T + 50: NOTHING, T + CRITICAL: ["PipelinePartitionsUnowned"], T + 310: NOTHING},
    )


def test_a_rebalance_is_silent(check: Check) -> None:
    fleet = Fleet(T + 300)
    for instance in ("w1", "w2"):
        fleet.set("pipeline_assigned_partitions", 0, since=T, until=T + 20, instance=instance)
    check(fleet, dict.fromkeys(range(T, T + 300, 10), NOTHING))


def test_a_loop_that_hangs_while_metrics_are_served(check: Check) -> None:
    fleet = Fleet(T + 600)
    fleet.change("pipeline_loop_silent_seconds", lambda s: s - T, since=T, until=T + 200, instance="w2")
    check(fleet, {T + 20: NOTHING, T + WARNING: ["PipelineLoopHangs"], T + 210: NOTHING})


def test_a_worker_that_starts_again_and_again_without_a_commit(check: Check) -> None:
    fleet = Fleet(T + 1800)
    for at in range(T, T + 400, 20):  # it is always there when it is asked
        fleet.restart("w2", at)
    check(fleet, {T + 20: NOTHING, T + 70: ["PipelineWorkerRestarting"], T + 640: NOTHING})


def test_a_worker_that_is_up_at_every_other_scrape(check: Check) -> None:
    fleet = Fleet(T + 300)
    for at in range(T, T + 300, 20):
        fleet.set("up", 0, since=at, until=at + 10, instance="w2")
    check(fleet, {T + CRITICAL: ["PipelineWorkerRestarting"]})


def test_a_rolling_restart_is_silent(check: Check) -> None:
    fleet = Fleet(T + 900)
    fleet.restarted("w1", T)
    fleet.restarted("w2", T + 60, for_s=20)
    check(fleet, dict.fromkeys(range(T, T + 900, 10), NOTHING))


def test_the_first_minutes_of_a_new_prometheus_are_silent(check: Check) -> None:
    """Workers that have run for long, with counters of all they met, and one in the middle of a backlog."""
    fleet = Fleet(900)
    fleet.set("pipeline_fenced_total", 40, instance="w1")
    fleet.set("pipeline_forwarded_total", 4_000, instance="w1")
    fleet.set("pipeline_rejected_total", 9_000, instance="w1", reason="out_of_range")
    for partition in ("0", "1"):
        fleet.set("pipeline_lag_records", 500, instance="w1", partition=partition)
    check(fleet, dict.fromkeys(range(0, 900, 10), NOTHING))


@pytest.mark.parametrize("server", ["database", "broker", "registry"])
def test_a_server_that_is_away_for_45_seconds(check: Check, server: str) -> None:
    fleet = Fleet(T + 400)
    for instance in ("w1", "w2"):
        fleet.change("pipeline_away_seconds", lambda s: s - T, since=T, until=T + 45, instance=instance, server=server)
    check(fleet, {T + 20: NOTHING, T + 40: ["PipelineServerAway"], T + 80: NOTHING})


def test_a_server_that_stays_away_while_workers_restart_because_of_it(check: Check) -> None:
    fleet = Fleet(T + 400)
    for instance in ("w1", "w2"):
        fleet.change("pipeline_away_seconds", lambda s: (s - T) % 70, since=T, instance=instance, server="database")
        for at in range(T + 70, T + 400, 70):
            fleet.restart(instance, at)
    check(fleet, {second: ["PipelineServerAway"] for second in range(T + 40, T + 170, 10)})


def test_a_single_retry_is_silent(check: Check) -> None:
    fleet = Fleet(T + 300)
    fleet.set("pipeline_away_seconds", 2, since=T, until=T + 10, instance="w1", server="database")
    check(fleet, dict.fromkeys(range(T, T + 300, 10), NOTHING))


def test_a_partition_of_which_nothing_is_committed(check: Check) -> None:
    fleet = Fleet(T + 600)
    where = {"instance": "w2", "partition": "3"}
    fleet.counter("pipeline_next_offset", 0, since=T, until=T + 300, **where)
    fleet.change("pipeline_lag_records", lambda s: 5.0 * (s - T) + 1, since=T, until=T + 300, **where)
    fleet.change("pipeline_lag_seconds", lambda s: s - T, since=T, until=T + 300, **where)
    fleet.counter("pipeline_next_offset", 10, since=T + 300, **where)
    check(
        fleet,
        {
            T + 60: NOTHING,
            T + CRITICAL: ["PipelinePartitionStuck"],
            T + 250: ["PipelineBehind", "PipelinePartitionStuck"],
            T + 330: NOTHING,
        },
    )


def test_a_backlog_of_older_events_is_not_stuck(check: Check) -> None:
    """Event time stands still while offsets move."""
    fleet = Fleet(T + 600)
    where = {"instance": "w2", "partition": "3"}
    fleet.set("pipeline_watermark_seconds", T, since=T, **where)
    fleet.set("pipeline_lag_records", 5_000, since=T, **where)
    check(fleet, dict.fromkeys(range(T, T + 600, 10), NOTHING))


def test_lag_after_a_restart_with_the_database_away(check: Check) -> None:
    """The new process has no partition; it shows all of them, by the offsets committed to Kafka."""
    fleet = Fleet(T + 400)
    fleet.not_scraped("w2", since=T, until=T + 20)
    fleet.restart("w2", T + 20)
    fleet.not_scraped("w1", since=T, known=False)
    for partition in ("0", "1", "2", "3"):
        where = {"instance": "w2", "partition": partition}
        fleet.set("pipeline_next_offset", 6_000, since=T + 20, **where)
        fleet.change("pipeline_lag_records", lambda s: 5.0 * (s - T), since=T + 20, **where)
        fleet.change("pipeline_lag_seconds", lambda s: s - T, since=T + 20, **where)
        fleet.set("pipeline_held_back_records", 0, since=T + 20, **where)
    fleet.set("pipeline_assigned_partitions", 0, since=T + 20, instance="w2")
    fleet.change("pipeline_away_seconds", lambda s: s - T - 20, since=T + 20, instance="w2", server="database")
    check(
        fleet,
        {
            T + 150: [
                "PipelineBehind",
                *["PipelinePartitionStuck"] * 4,
                "PipelinePartitionsUnowned",
                "PipelineServerAway",
                "PipelineWorkerGone",
            ]
        },
    )


def test_a_transaction_that_stays_open(check: Check) -> None:
    fleet = Fleet(T + 600)
    where = {"instance": "w2", "partition": "3"}
    fleet.counter("pipeline_next_offset", 0, since=T, until=T + 200, **where)
    fleet.change("pipeline_held_back_records", lambda s: 5.0 * (s - T) + 1, since=T, until=T + 200, **where)
    fleet.change("pipeline_lag_records", lambda s: 5.0 * (s - T) + 1, since=T, until=T + 200, **where)
    fleet.counter("pipeline_next_offset", 10, since=T + 200, **where)
    check(fleet, {T + 30: NOTHING, T + WARNING: ["PipelineHeldBack"], T + 230: NOTHING})


def test_transactions_that_come_and_go_are_silent(check: Check) -> None:
    fleet = Fleet(T + 600)
    fleet.set("pipeline_held_back_records", 3, since=T, instance="w2", partition="3")  # at each look, other ones
    check(fleet, dict.fromkeys(range(T, T + 600, 10), NOTHING))


def test_more_comes_than_is_processed(check: Check) -> None:
    fleet = Fleet(T + 1800)
    fleet.change("pipeline_lag_records", lambda s: 50.0 * (s - T), since=T, instance="w2", partition="3")
    check(fleet, {T + 600: NOTHING, T + 1500: ["PipelineLagRising"]})


def test_touchpoints_that_take_long(check: Check) -> None:
    begin = 4 * 3600
    fleet = Fleet(begin + 3600)
    for instance in ("w1", "w2"):
        for le in ("0.1", "10.0"):
            fleet.counter("pipeline_event_latency_seconds_bucket", 0, since=begin, instance=instance, le=le)
    check(
        fleet,
        {
            begin + 60: NOTHING,
            begin + 700: ["PipelineFreshnessBurnsFast", "PipelineSlow"],
            begin + 3500: ["PipelineFreshnessBurnsFast", "PipelineFreshnessBurnsSlowly", "PipelineSlow"],
        },
    )


def test_partitions_that_are_often_without_a_worker(check: Check) -> None:
    begin = 4 * 3600
    fleet = Fleet(begin + 2 * 3600)
    for at in range(begin, begin + 2 * 3600, 100):  # half a minute in each 100 seconds
        fleet.set("pipeline_assigned_partitions", 0, since=at, until=at + 30, instance="w2")
    check(
        fleet,
        {
            begin + 300: NOTHING,
            begin + 1200: ["PipelineAvailabilityBurnsFast"],
            begin + 5000: ["PipelineAvailabilityBurnsFast", "PipelineAvailabilityBurnsSlowly"],
        },
    )


def test_a_clock_that_is_fast(check: Check) -> None:
    fleet = Fleet(T + 300)
    fleet.change("pipeline_watermark_seconds", lambda s: s + 900, since=T, instance="w2", partition="3")
    check(fleet, {T + WARNING: ["PipelineWatermarkAhead"]})


def test_a_flood_of_bad_records_of_a_second(check: Check) -> None:
    """It comes within a minute, and does not go on for a quarter of an hour."""
    fleet = Fleet(T + 900)
    fleet.set("pipeline_rejected_total", 2_000, since=T, instance="w1", reason="out_of_range")
    check(fleet, {T + 20: ["PipelineRejecting"], T + WARNING: NOTHING, T + 120: NOTHING, T + 600: NOTHING})


def test_records_that_cannot_be_read(check: Check) -> None:
    fleet = Fleet(T + 900)
    fleet.set("pipeline_rejected_total", 1, since=T, instance="w1", reason="bad_magic")
    check(fleet, {T - 10: NOTHING, T + 20: ["PipelineUnreadable"], T + 140: NOTHING})


def test_records_that_could_not_be_read_before_the_first_scrape(check: Check) -> None:
    fleet = Fleet(900)
    fleet.set("pipeline_rejected_total", 7, instance="w1", reason="bad_magic")
    check(fleet, {10: ["PipelineUnreadable"], 140: NOTHING})


@pytest.mark.parametrize("share", [0.02, 0.06, 0.5])
def test_wrong_keys(check: Check, share: float) -> None:
    fleet = Fleet(T + 900)
    fleet.counter("pipeline_forwarded_total", 2 * RATE * share, since=T, until=T + 300, instance="w1")
    fleet.counter("pipeline_forwarded_total", 0, since=T + 300, instance="w1")
    soon = WARNING if share >= 0.06 else 2 * WARNING
    check(fleet, {T + soon: ["PipelineWrongKeys"], T + 290: ["PipelineWrongKeys"], T + 400: NOTHING})


def test_journeys_that_cannot_be_published(check: Check) -> None:
    """Their number grows all the time, and a restart in between does not hide them."""
    fleet = Fleet(T + 900)
    fleet.change("pipeline_unpublished_seconds", lambda s: s - T, since=T, until=T + 540, instance="w2")
    fleet.restarted("w2", T + 200, for_s=20)
    firing = {second: ["PipelineUnpublished"] for second in range(T + 50, T + 540, 10)}
    check(fleet, {T + 20: NOTHING, **firing, T + 600: NOTHING})


def test_records_that_expired_before_the_first_scrape(check: Check) -> None:
    fleet = Fleet(7200)
    fleet.set("pipeline_expired_records_total", 9_600, instance="w1")
    check(fleet, {10: ["PipelineRecordsExpired"], 3000: ["PipelineRecordsExpired"], 4000: NOTHING})


def test_records_that_expire(check: Check) -> None:
    fleet = Fleet(T + 4000)
    fleet.set("pipeline_expired_records_total", 20, since=T, instance="w1")
    check(fleet, {T - 10: NOTHING, T + 20: ["PipelineRecordsExpired"], T + 3700: NOTHING})


def test_two_groups_that_fight_for_the_partitions(check: Check) -> None:
    fleet = Fleet(T + 900)
    fleet.counter("pipeline_fenced_total", 0.1, since=T, instance="w1")
    check(fleet, {T + 60: NOTHING, T + 360: ["PipelineFencing"]})


def test_one_pause_is_silent(check: Check) -> None:
    fleet = Fleet(T + 900)
    fleet.set("pipeline_fenced_total", 24, since=T, instance="w1")
    check(fleet, dict.fromkeys(range(T, T + 900, 30), NOTHING))


def test_a_channel_that_is_silent(check: Check) -> None:
    week = 7 * 86_400
    fleet = Fleet(week + 9_000, step_s=300)  # too seldom for what looks at minutes
    for partition, instance in OWNERS.items():
        fleet.set("pipeline_lag_records", 0, instance=instance, partition=str(partition))
    for instance in ("w1", "w2"):
        fleet.counter("pipeline_events_total", 0, since=week + 600, instance=instance, channel="web")
    check(fleet, {week: NOTHING, week + 6_000: ["PipelineChannelSilent"]})


def test_touchpoints_that_come_late(check: Check) -> None:
    fleet = Fleet(4 * 3600)
    fleet.counter("pipeline_late_total", RATE, since=3600, instance="w1", channel="web")
    check(fleet, {3600: NOTHING, 4 * 3600: ["PipelineLate"]})


def test_a_customer_with_very_many_keys(check: Check) -> None:
    """It goes on while another worker takes over the counting, and ends once the keys are fewer."""
    fleet = Fleet(T + 900)
    fleet.set("pipeline_most_keys_of_a_customer", 51, since=T, until=T + 200, instance="w1")
    fleet.set("pipeline_most_keys_of_a_customer", 0, since=T + 200, instance="w1")
    fleet.set("pipeline_most_keys_of_a_customer", 51, since=T + 260, until=T + 500, instance="w2")
    firing = {second: ["PipelineManyKeys"] for second in range(T + 10, T + 600, 10)}
    check(fleet, {T - 10: NOTHING, **firing, T + 640: NOTHING})


def test_fifty_keys_are_not_too_many(check: Check) -> None:
    fleet = Fleet(T + 300)
    fleet.set("pipeline_most_keys_of_a_customer", 50, since=T, instance="w1")
    check(fleet, dict.fromkeys(range(T, T + 300, 10), NOTHING))


def test_a_churn_model_that_foretells_worse_than_it_should(check: Check) -> None:
    fleet = Fleet(T + 1200)
    own = {"instance": "w1", "model": "churn", "version": "own"}
    fleet.set("pipeline_model_brier", 0.21, since=T, until=T + 400, **own)
    fleet.set("pipeline_model_brier_limit", 0.2, since=T, until=T + 400, **own)
    firing = {second: ["PipelineModelWorse"] for second in (T + 10, T + 300, T + 600)}
    check(fleet, {T - 10: NOTHING, **firing, T + 1100: NOTHING})


@pytest.mark.parametrize(
    ("model", "alert"),
    [
        ("satisfaction", "PipelineSatisfactionModelWorse"),
        ("expected_satisfaction", "PipelineExpectedModelWorse"),
    ],
)
def test_a_model_that_foretells_answers_worse_than_it_should(check: Check, model: str, alert: str) -> None:
    """It has the version of the other one, which holds."""
    fleet = Fleet(T + 1200)
    for name, error in (("satisfaction", 18.0), ("expected_satisfaction", 15.0)):
        own = {"instance": "w1", "model": name, "version": "2026-11-01"}
        fleet.set("pipeline_model_error", 21.0 if name == model else error, since=T, until=T + 400, **own)
        fleet.set("pipeline_model_error_limit", 20.5, since=T, until=T + 400, **own)
    firing = {second: [alert] for second in (T + 10, T + 300, T + 600)}
    check(fleet, {T - 10: NOTHING, **firing, T + 1100: NOTHING})


def test_models_that_hold_are_silent(check: Check) -> None:
    fleet = Fleet(T + 600)
    churn = {"instance": "w1", "model": "churn", "version": "own"}
    fleet.set("pipeline_model_brier", 0.16, since=T, **churn)
    fleet.set("pipeline_model_brier_limit", 0.2, since=T, **churn)
    for name in ("satisfaction", "expected_satisfaction"):
        own = {"instance": "w1", "model": name, "version": "own"}
        fleet.set("pipeline_model_error", 18.0, since=T, **own)
        fleet.set("pipeline_model_error_limit", 20.5, since=T, **own)
        fleet.set("pipeline_model_drift", 0.2, since=T, input="wait", **own)
    fleet.set("pipeline_model_drift", 0.2, since=T, input="repeat visits", **churn)
    check(fleet, dict.fromkeys(range(T, T + 600, 60), NOTHING))


@pytest.mark.parametrize(
    ("model", "moved"), [("churn", "complaints"), ("satisfaction", "days since the answer before"),
                         ("expected_satisfaction", "wait")]
)  # fmt: skip
def test_inputs_that_are_not_what_a_model_was_fitted_to(check: Check, model: str, moved: str) -> None:
    fleet = Fleet(T + 600)
    fleet.set("pipeline_model_drift", 0.3, since=T, instance="w1", model=model, version="own", input=moved)
    check(fleet, {T - 10: NOTHING, T + 10: ["PipelineModelDrift"], T + 500: ["PipelineModelDrift"]})


def test_restatements_that_do_not_get_fewer(check: Check) -> None:
    fleet = Fleet(T + 2400)
    fleet.set("pipeline_waiting_restatements", 40, since=T, until=T + 1500, instance="w1")
    check(fleet, {T + 600: NOTHING, T + 1050: ["PipelineRestatementsWaiting"], T + 1560: NOTHING})


def test_restatements_that_become_more_and_more(check: Check) -> None:
    fleet = Fleet(T + 1800)
    fleet.change("pipeline_waiting_restatements", lambda s: 1.0 + (s - T) // 10, since=T, instance="w1")
    check(fleet, {T + 600: NOTHING, T + 1050: ["PipelineRestatementsWaiting"]})


def test_many_restatements_that_are_worked_off_are_silent(check: Check) -> None:
    fleet = Fleet(T + 7200)
    fleet.change("pipeline_waiting_restatements", lambda s: max(1.0, 5_000.0 - (s - T)), since=T, instance="w1")
    check(fleet, dict.fromkeys(range(T, T + 5000, 30), NOTHING))


def test_changes_that_come_too_late(check: Check) -> None:
    fleet = Fleet(T + 4000)
    fleet.set("pipeline_final_changes_total", 2, since=T, instance="w1")
    check(fleet, {T - 10: NOTHING, T + 20: ["PipelineFinalChanges"], T + 3700: NOTHING})


def test_changes_that_came_too_late_before_the_first_scrape(check: Check) -> None:
    fleet = Fleet(7200)
    fleet.set("pipeline_final_changes_total", 2, instance="w1")
    check(fleet, {10: ["PipelineFinalChanges"], 3000: ["PipelineFinalChanges"], 4000: NOTHING})


def test_messages_between_partitions_that_wait(check: Check) -> None:
    """Touchpoints are processed meanwhile."""
    fleet = Fleet(T + 600)
    fleet.change("pipeline_exchange_lag_seconds", lambda s: s - T, since=T, until=T + 300, instance="w2", partition="3")
    check(fleet, {T + 120: NOTHING, T + 140: ["PipelineExchangeBehind"], T + 320: NOTHING})


def test_messages_between_partitions_that_take_long(check: Check) -> None:
    fleet = Fleet(T + 1800)
    for instance in ("w1", "w2"):
        for le in ("0.1", "10.0"):
            fleet.counter(
                "pipeline_exchange_latency_seconds_bucket", 0, since=T, until=T + 1200, instance=instance, le=le
            )
            fleet.counter("pipeline_exchange_latency_seconds_bucket", RATE, since=T + 1200, instance=instance, le=le)
    check(fleet, {T + 300: NOTHING, T + 720: ["PipelineExchangeSlow"]})


def test_an_upgrade_that_does_not_end(check: Check) -> None:
    fleet = Fleet(T + 5000)
    fleet.set("pipeline_build_info", None, since=T, instance="w2", version="1", revision="4")
    fleet.set("pipeline_build_info", 1, since=T, instance="w2", version="2", revision="4")
    check(fleet, {T + 600: NOTHING, T + 3700: ["PipelineVersionsDiffer"]})


def test_an_audit_that_finds_differences(check: Check) -> None:
    fleet = Fleet(600)
    fleet.set("pipeline_audit_differences", 0, until=300, instance="a")
    fleet.set("pipeline_audit_differences", 3, since=300, instance="a")
    check(fleet, {200: NOTHING, 310: ["PipelineAuditDiffers"]})


def test_an_audit_that_does_not_run(check: Check) -> None:
    fleet = Fleet(3 * 3600)
    fleet.set("pipeline_audit_interval_seconds", 3600, instance="a")
    fleet.change("pipeline_audit_last_success_seconds", lambda s: min(s, 600), instance="a")
    check(fleet, {3600: NOTHING, 7200: NOTHING, 9500: ["PipelineAuditMissing"]})
