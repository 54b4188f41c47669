"""Lag: measured to the end of the log, also where an open transaction holds records back."""

from __future__ import annotations

from pipeline.consumer.lag import LagMonitor
from pipeline.consumer.transport import Progress
from pipeline.observe.health import Health
from pipeline.observe.metrics import Metrics


def value(metrics: Metrics, name: str) -> float | None:
    return metrics.registry.get_sample_value(name, {"partition": "0"})


def test_offsets_behind_the_last_record_that_hold_none_are_no_lag() -> None:
    metrics = Metrics()
    lag = LagMonitor(metrics, Health())
    lag.update({0: 12}, {0: Progress(delivered=10, read=12, held_back=0)}, {0: 10})
    assert lag.caught_up(0, 10)
    assert value(metrics, "pipeline_lag_records") == 0


def test_what_an_open_transaction_holds_back_is_lag_and_keeps_a_partition_from_being_idle() -> None:
    metrics, health = Metrics(), Health()
    lag = LagMonitor(metrics, health)
    lag.update({0: 10}, {0: Progress(delivered=10, read=10, held_back=7)}, {0: 10})
    assert not lag.caught_up(0, 10)
    assert value(metrics, "pipeline_lag_records") == 7
    assert value(metrics, "pipeline_held_back_records") == 7
    lag.update({0: 18}, {0: Progress(delivered=10, read=18, held_back=0)}, {0: 10})  # aborted
    assert lag.caught_up(0, 10)
    assert value(metrics, "pipeline_held_back_records") == 0


def test_a_partition_whose_first_records_are_held_back_is_behind() -> None:
    lag = LagMonitor(Metrics(), Health())
    lag.update({0: 0}, {0: Progress(delivered=None, read=0, held_back=3)}, {0: 0})
    assert not lag.caught_up(0, 0)
