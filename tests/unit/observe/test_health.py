"""Health: who is away, since when and why; also while the event loop hangs."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from pipeline.observe.health import Health
from pipeline.observe.health_metrics import HealthMetrics


def test_a_worker_that_waits_says_for_whom_since_when_and_why() -> None:
    health = Health(beat_at=100.0, assigned=True)
    health.failed("database", "connection refused", 90.0)
    health.failed("database", "the database system is starting up", 95.0)
    assert health.ready(100.0) == (False, "waiting for database for 10 s: the database system is starting up")
    health.answered("database")
    assert health.ready(100.0) == (True, "ready")


def test_metrics_are_right_while_the_event_loop_hangs() -> None:
    now, health, registry = 100.0, Health(beat_at=100.0, assigned=True), CollectorRegistry()
    HealthMetrics(health, registry, lambda: now)
    assert registry.get_sample_value("pipeline_ready") == 1
    now = 161.0
    assert registry.get_sample_value("pipeline_ready") == 0
    assert registry.get_sample_value("pipeline_loop_silent_seconds") == 61


def test_how_long_a_server_is_away_is_counted_from_its_first_failure_and_ends_with_its_answer() -> None:
    health, registry = Health(), CollectorRegistry()
    HealthMetrics(health, registry, lambda: 50.0)
    away = {"server": "broker"}
    assert registry.get_sample_value("pipeline_away_seconds", away) == 0
    health.failed("broker", "no answer", 20.0)
    health.failed("broker", "no answer", 40.0)
    assert registry.get_sample_value("pipeline_away_seconds", away) == 30
    health.answered("broker")
    assert registry.get_sample_value("pipeline_away_seconds", away) == 0
