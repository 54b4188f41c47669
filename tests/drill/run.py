"""Runs a drill: each fault in turn, from a quiet fleet to a quiet fleet."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from faults.waiting import wait_for

from drill.faults import Fault, injected
from drill.prometheus import DEPLOY, Prometheus
from drill.scene import Scene

if TYPE_CHECKING:
    from pipeline.local.stack import Stack

#: Seconds that a fleet may take to be quiet at the start, and that alerts may go on for after a fault.
_QUIET_S, _RESOLVED_S = 180.0, 400.0
#: Seconds that are watched at least after a fault: an alert may come late.
_AFTER_S = 30.0
#: Seconds beyond its time that an alert is waited for, to see how late it is.
_LATE_S = 60.0


@dataclass
class Result:
    """What was seen of a fault. Times are seconds since it began, or since it ended."""

    fault: Fault
    fired: dict[str, float] = field(default_factory=dict)
    resolved: dict[str, float] = field(default_factory=dict)
    readyz: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        """Return what was not as it should be."""
        late = [
            f"{name} came {f'after {self.fired[name]:.0f} s' if name in self.fired else 'not at all'}"
            for name, seconds in self.fault.expected.items()
            if self.fired.get(name, float("inf")) > seconds
        ]
        false = self.fired.keys() - self.fault.expected.keys() - self.fault.allowed
        stuck = self.fired.keys() - self.resolved.keys() - self.fault.stays
        return [*late, *(f"{name} came and should not" for name in false), *(f"{name} did not end" for name in stuck)]


@dataclass
class Outcome:
    """What a drill has shown. `dead` are panels of the dashboards whose query had no series."""

    results: list[Result] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    broken_lines: int = 0
    lines: int = 0

    @property
    def is_good(self) -> bool:
        """Return whether all is as it should be."""
        return not any(result.wrong for result in self.results) and not self.dead and not self.broken_lines


def drill(stack: Stack, folder: Path, faults: Sequence[Fault], say: Callable[[str], None]) -> Outcome:
    """Run faults. Raises NotReached when the fleet is not quiet to begin with."""
    outcome, scene = Outcome(), Scene(stack, folder)
    try:
        scene.start()
        wait_for(lambda: _is_quiet(scene), "two workers are ready, and no alert fires", _QUIET_S, 1)
        time.sleep(60)  # windows fill
        for fault in faults:
            say(f"{fault.name} …")
            result = _drill_one(scene, fault)
            outcome.results.append(result)
            say(f"  fired {_times(result.fired)}; ended {_times(result.resolved)}; {result.wrong or 'as it should be'}")
        # What is read from whole tables comes with the first sweep of a worker that has restarted.
        wait_for(lambda: scene.prometheus.query("sum(pipeline_customers_at_risk)"), "the first sweep", _QUIET_S, 1)
        outcome.dead, outcome.unchecked = _dead_panels(scene.prometheus)
    finally:
        scene.close()
    lines = [
        line for each in (*scene.workers, scene.audit) for line in each.log.read_text(errors="replace").splitlines()
    ]
    outcome.lines, outcome.broken_lines = len(lines), sum(not _is_json(line) for line in lines)
    return outcome


def _drill_one(scene: Scene, fault: Fault) -> Result:
    result = Result(fault)
    began = time.monotonic()
    with injected(fault, scene):
        began = min(began, time.monotonic()) if fault.lasts_s else time.monotonic()
        until = max([seconds + _LATE_S for seconds in fault.expected.values()], default=0.0)
        if fault.lasts_s:
            until = fault.lasts_s
        while time.monotonic() - began < until:
            _note(scene, result, began)
            if not fault.lasts_s and fault.expected.keys() <= result.fired.keys():
                break
            time.sleep(1)
        result.readyz = [worker.readyz() for worker in scene.workers]
        result.logged = [line for worker in scene.workers for line in worker.last_lines(2)]
    ended = time.monotonic()
    while time.monotonic() - ended < _RESOLVED_S:
        firing = _note(scene, result, began)
        for name in result.fired.keys() - firing - result.resolved.keys():
            result.resolved[name] = time.monotonic() - ended
        if firing <= fault.stays and _is_quiet(scene, fault.stays) and time.monotonic() - ended > _AFTER_S:
            break
        time.sleep(1)
    return result


def _note(scene: Scene, result: Result, began: float) -> set[str]:
    firing = scene.prometheus.firing()
    for name in firing - result.fired.keys():
        result.fired[name] = time.monotonic() - began
    for name in firing & result.resolved.keys():
        del result.resolved[name]  # it came again
    return firing


def _is_quiet(scene: Scene, ignored: frozenset[str] = frozenset()) -> bool:
    try:
        ready = sum(float(each["value"][1]) for each in scene.prometheus.query("pipeline_ready"))
        return ready == len(scene.workers) and scene.prometheus.firing() <= ignored
    except OSError:
        return False


#: How metrics of checked models begin. A drill's history is too short for a check.
_MODEL = "pipeline_model_"


def _dead_panels(prometheus: Prometheus) -> tuple[list[str], list[str]]:
    """Return panels with a query without series, and those that have none here: see `report`."""
    dead, unchecked = [], []
    for file in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json")):
        job = "kafka" if file.stem.endswith("kafka") else "postgres" if file.stem.endswith("postgres") else "pipeline"
        has_job = bool(prometheus.query(f'up{{job="{job}"}}'))
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel.get("targets", ()):
                where = f"{file.stem}: {panel['title']}"
                if not has_job or _MODEL in target["expr"]:
                    unchecked.append(where)
                elif not prometheus.query(target["expr"]):
                    dead.append(where)
    return dead, unchecked


def _is_json(line: str) -> bool:
    try:
        said = json.loads(line)
    except ValueError:
        return False
    return {"event", "level", "timestamp", "logger", "version"} <= said.keys()


def _times(seconds: dict[str, float]) -> str:
    return ", ".join(f"{name} {after:.0f} s" for name, after in seconds.items()) or "nothing"
