"""What Prometheus would scrape from two workers, second by second, and what goes wrong with it.

A series is a list of values, one each 10 seconds; None where nothing was scraped. `Fleet` begins as one in which all is
well; a test changes what its fault changes.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
#: Seconds between two scrapes, as in deploy/prometheus.yml.
STEP_S = 10
PARTITIONS = range(4)
#: partition → instance
OWNERS = {0: "w1", 1: "w1", 2: "w2", 3: "w2"}
#: Touchpoints a second, of each worker.
RATE = 10
START = 1_790_000_000

#: Prometheus evaluates groups of rules independently. In this order, alerts see what is recorded an interval late.
_WORST_ORDER = ["pipeline", "pipeline-service-levels-alerts", "pipeline-recording", "pipeline-service-levels"]

Series = list[float | None]
Labels = dict[str, str]


class Fleet:
    """Series by name and labels, over `seconds`, with a value each `step_s`."""

    def __init__(self, seconds: int, step_s: int = STEP_S) -> None:
        self.step_s, self.steps = step_s, seconds // step_s + 1
        self.series: dict[tuple[str, tuple[tuple[str, str], ...]], Series] = {}
        for instance in ("w1", "w2"):
            self.set("up", 1, instance=instance)
            self.set("process_start_time_seconds", START, instance=instance)
            self.set("pipeline_loop_silent_seconds", 0.5, instance=instance)
            self.set("pipeline_assigned_partitions", 2, instance=instance)
            self.set("pipeline_topic_partitions", 4, instance=instance)
            self.set("pipeline_ready", 1, instance=instance)
            self.set("pipeline_unpublished_seconds", 0.2, instance=instance)
            self.set("pipeline_build_info", 1, instance=instance, version="1", revision="4")
            for server in ("broker", "database", "registry", "publishing"):
                self.set("pipeline_away_seconds", 0, instance=instance, server=server)
            for name in ("expired_records", "fenced", "forwarded"):
                self.set(f"pipeline_{name}_total", 0, instance=instance)
            for reason in ("bad_magic", "out_of_range"):
                self.set("pipeline_rejected_total", 0, instance=instance, reason=reason)
            self.counter("pipeline_events_total", RATE, instance=instance, channel="web")
            self.set("pipeline_late_total", 0, instance=instance, channel="web")
            for le in ("0.1", "10.0", "30.0", "+Inf"):
                self.counter("pipeline_event_latency_seconds_bucket", RATE, instance=instance, le=le)
            self.counter("pipeline_event_latency_seconds_count", RATE, instance=instance)
            for le in ("0.1", "10.0", "30.0", "+Inf"):
                self.counter("pipeline_exchange_latency_seconds_bucket", RATE / 2, instance=instance, le=le)
            self.change("pipeline_waiting_restatements", lambda s: float(s // step_s % 4), instance=instance)
            self.set("pipeline_final_changes_total", 0, instance=instance)
            self.set("pipeline_most_keys_of_a_customer", 7 if instance == OWNERS[0] else 0, instance=instance)
        for partition, instance in OWNERS.items():
            where = {"instance": instance, "partition": str(partition)}
            self.change("pipeline_lag_records", lambda s: float(s // step_s % 3), **where)
            self.change("pipeline_lag_seconds", lambda s: 0.1 * (s // step_s % 3), **where)
            self.set("pipeline_held_back_records", 0, **where)
            self.change("pipeline_exchange_lag_seconds", lambda s: 0.1 * (s // step_s % 3), **where)
            self.counter("pipeline_next_offset", RATE / 2, **where)
            self.change("pipeline_watermark_seconds", float, **where)

    def set(self, name: str, value: float | None, *, since: int = 0, until: int | None = None, **labels: str) -> None:
        """Set a series from `since` on and before `until`, in seconds."""
        self.change(name, lambda _s: value, since=since, until=until, **labels)

    def counter(self, name: str, rate: float, *, since: int = 0, until: int | None = None, **labels: str) -> None:
        """Let a series rise by `rate` a second from what it was before."""
        before = self._of(name, labels)[max(0, since // self.step_s - 1)] or 0
        self.change(
            name, lambda s: before + rate * (s - max(0, since - self.step_s)), since=since, until=until, **labels
        )

    def change(
        self,
        name: str,
        value: Callable[[int], float | None],
        *,
        since: int = 0,
        until: int | None = None,
        **labels: str,
    ) -> None:
        """Set a series to a function of the time in seconds."""
        series = self._of(name, labels)
        for step in self._between(since, until):
            series[step] = value(step * self.step_s)

    def not_scraped(self, instance: str, *, since: int, until: int | None = None, known: bool = True) -> None:
        """Let a worker not answer; if it is not `known`, discovery has dropped it."""
        for (name, labels), series in self.series.items():
            if dict(labels).get("instance") == instance:
                for step in range(
                    since // self.step_s, self.steps if until is None else min(self.steps, until // self.step_s)
                ):
                    series[step] = 0 if name == "up" and known else None

    def _between(self, since: int, until: int | None) -> range:
        return range(since // self.step_s, self.steps if until is None else min(self.steps, until // self.step_s))

    def restart(self, instance: str, at: int) -> None:
        """Let a worker start anew: its counters begin at 0."""
        step = at // self.step_s
        for (name, labels), series in self.series.items():
            if dict(labels).get("instance") != instance or not name.endswith(("_total", "_bucket", "_count")):
                continue
            base = series[step]
            if base is not None:
                series[step:] = [None if value is None else value - base for value in series[step:]]
        self.set("process_start_time_seconds", START + at, since=at, instance=instance)

    def restarted(self, instance: str, at: int, *, for_s: int = STEP_S) -> None:
        """Let a worker be replaced in a rolling restart: not scraped for a moment, its partitions with the other."""
        other = "w1" if instance == "w2" else "w2"
        self.not_scraped(instance, since=at, until=at + for_s)
        self.set("pipeline_assigned_partitions", 4, since=at, until=at + for_s, instance=other)
        self.restart(instance, at + for_s)

    def _of(self, name: str, labels: Labels) -> Series:
        return self.series.setdefault((name, tuple(sorted(labels.items()))), [None] * self.steps)

    def test(self, name: str, firing: dict[int, Iterable[str]]) -> dict[str, Any]:
        """Return promtool's test: at each time in seconds, exactly these alerts fire."""
        return {
            "name": name,
            "interval": f"{self.step_s}s",
            "input_series": [
                {"series": _written(metric, labels), "values": " ".join(_runs(series))}
                for (metric, labels), series in self.series.items()
            ],
            "promql_expr_test": [
                {
                    "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                    "eval_time": f"{second}s",
                    "exp_samples": [
                        {"labels": f'{{alertname="{alert}"}}', "value": alerts.count(alert)}
                        for alerts in [list(names)]
                        for alert in dict.fromkeys(alerts)
                    ],
                }
                for second, names in firing.items()
            ],
        }


def _written(name: str, labels: tuple[tuple[str, str], ...]) -> str:
    job = "pipeline-audit" if name.startswith("pipeline_audit") else "pipeline"
    return name + "{" + ", ".join(f'{key}="{value}"' for key, value in (("job", job), *labels)) + "}"


def _runs(series: Series) -> Iterable[str]:
    """Yield values as promtool reads them; equal ones in a row as one item."""
    place = 0
    while place < len(series):
        end = place
        while end < len(series) and series[end] == series[place]:
            end += 1
        value, times = series[place], end - place
        if value is None:
            # When a target or a series is gone, Prometheus notes that with the next scrape.
            yield f"stale _x{times - 1}" if place and times > 1 else "stale" if place else f"_x{times}"
        else:
            written = f"{value:.3f}".rstrip("0").rstrip(".") or "0"
            yield f"{written}x{times - 1}" if times > 1 else written
        place = end


def promtool(test: dict[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run promtool's tests over the rules in deploy/."""
    file = folder / "alerts.test.yml"
    rules = [str(DEPLOY / name) for name in ("recording.yml", "alerts.yml")]
    document = {
        "rule_files": rules,
        "evaluation_interval": test["interval"],
        "group_eval_order": _WORST_ORDER,
        "tests": [test],
    }
    file.write_text(json.dumps(document))  # YAML is a superset of JSON
    return subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, timeout=250)
