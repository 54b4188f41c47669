"""One run: start everything, feed during faults, finish, and check the invariants."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from faults import actions, collect, database, invariants, plan, recovery, undisturbed
from faults.feed import Feed
from faults.plan import Action
from faults.scene import NAMES, USUAL, Scene, settings
from faults.supervisor import Exit, Supervisor
from faults.undisturbed import delete_topics, empty_topics
from faults.versions import Versions
from faults.waiting import NotReached
from faults.world import Record
from pipeline.connections.kafka import KafkaConnection
from pipeline.connections.registry import RegistryConnection
from pipeline.contract.registry import Registry
from pipeline.local.stack import Stack
from pipeline.scores.registry import topic_schemas

#: Of the events, the share that is fed while actions go on; the rest comes at once, as a backlog.
_SHARE_DURING = 0.9
_SLOWEST, _FASTEST = 40.0, 2_000.0

Say = Callable[[str], None]


@dataclass(kw_only=True)
class Outcome:
    """What came of a run."""

    seed: int
    events: int
    actions: Sequence[Action]
    seconds: float = 0.0
    accepted: int = 0
    records: int = 0
    revisions: int = 0
    sent: Counter[str] = field(default_factory=Counter)
    injected: Counter[str] = field(default_factory=Counter)
    refused_zombies: int = 0
    recoveries: dict[str, list[float]] = field(default_factory=dict)
    exits: list[Exit] = field(default_factory=list)
    violations: dict[str, list[str]] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether nothing is violated."""
        return not any(self.violations.values())


def run(
    stack: Stack,
    folder: Path,
    *,
    seed: int,
    events: int,
    actions_planned: Sequence[Action],
    partitions: int = 6,
    say: Say = lambda _line: None,
) -> Outcome:
    """Run the plan on a stack that is up.

    The pipeline's topics are deleted before and after; databases, roles and schema versions of the run's own go again.
    """
    began = time.monotonic()
    outcome = Outcome(seed=seed, events=events, actions=actions_planned)
    env = stack.env()
    kafka, registry_connection = KafkaConnection.from_environment(env), RegistryConnection.from_environment(env)
    registry = Registry(registry_connection)
    for topic, schema in topic_schemas().items():
        registry.register(topic, schema)
    group = f"faults-{os.getpid()}-{time.monotonic_ns()}"
    empty_topics(kafka, partitions)
    live = database.create(env["DATABASE_URL"], database.LIVE)
    database.watch(live)
    versions = Versions(registry_connection)
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("PIPELINE_", "KAFKA_", "DATABASE_", "SCHEMA_"))}
    workers_env = {**outside, **settings(env, group)}
    supervisor = Supervisor(workers_env, folder)
    feed = Feed(kafka, registry_connection, partitions, seed, events, versions)
    scene = Scene(stack, live, feed, versions, supervisor, partitions, folder, group)
    try:
        _disturb(scene, outcome, say)
        for name in supervisor.names:
            supervisor.stop(name)
        say("one worker finishes the rest")
        undisturbed.work({**workers_env, "DATABASE_URL": scene.urls[NAMES[0]]}, NAMES[0], folder)
        _judge(scene, outcome, workers_env, say)
    finally:
        scene.close()
        live.engine.dispose()
        with suppress(Exception):
            versions.close()
        with suppress(Exception):
            delete_topics(kafka)
        database.drop(env["DATABASE_URL"], (database.LIVE, database.UNDISTURBED), NAMES)
    outcome.seconds = time.monotonic() - began
    return outcome


def _disturb(scene: Scene, outcome: Outcome, say: Say) -> None:
    """Feed, and do one action after the other."""
    not_reached = outcome.violations.setdefault(
        "every planned fault happened, and processing and publishing went on", []
    )
    scene.connect_workers()
    scene.feed.start()
    for name in NAMES[:USUAL]:
        scene.supervisor.start(name)
    scene.owned_by(*NAMES[:USUAL])
    began = time.monotonic()
    for number, action in enumerate(outcome.actions):
        left = max(1.0, plan.seconds(outcome.actions[number:]) * _slowness(outcome.actions[:number], began))
        wanted = _SHARE_DURING * outcome.events - scene.feed.events
        scene.feed.rate = min(_FASTEST, max(_SLOWEST, wanted / left))
        scene.supervisor.during = action.kind
        since = time.monotonic()
        try:
            actions.perform(scene, action)
            went = f"{time.monotonic() - since:.1f} s"
            scene.publishes()
        except NotReached as why:
            not_reached.append(f"action {number + 1}, {action.kind}: {why}")
            went = f"NOT REACHED: {why}"
            _bring_back(scene)
        say(
            f"{number + 1}/{len(outcome.actions)} {action.kind}: {went}  "
            f"({time.monotonic() - began:.0f} s, {scene.feed.events:,} events, backlog {scene.backlog():,})"
        )
    scene.supervisor.during = "the end"
    say("the rest of the events comes at once")
    scene.feed.finish(outcome.events)


def _slowness(done: Sequence[Action], began: float) -> float:
    """How much longer actions take than was thought."""
    return max(0.5, (time.monotonic() - began) / plan.seconds(done)) if done else 1.0


def _bring_back(scene: Scene) -> None:
    """After an action that failed, so that the next ones can tell something: the workers that usually run, anew."""
    for name in NAMES[:USUAL]:
        if name not in scene.supervisor.names:
            scene.supervisor.start(name)
    for name in NAMES[USUAL:]:
        if name in scene.supervisor.names:
            scene.supervisor.stop(name)
    since = time.time()
    for name in scene.supervisor.names:
        scene.supervisor.kill(name)
    with suppress(NotReached):
        scene.goes_on(since)


def _judge(scene: Scene, outcome: Outcome, env: dict[str, str], say: Say) -> None:
    say("reading topics and tables")
    kafka = KafkaConnection.from_environment(env)
    outcome.accepted, outcome.sent = scene.feed.accepted, scene.feed.sent
    outcome.injected, outcome.refused_zombies = scene.injected, scene.refused_zombies
    outcome.exits = scene.supervisor.exits
    records = collect.touchpoint_records(kafka)
    registry = Registry(RegistryConnection.from_environment(env))
    here = collect.world(kafka, scene.database, outcome.accepted, records, {}, registry)
    outcome.records, outcome.revisions = len(records), len(here.journeys)
    outcome.recoveries = _recoveries(scene, records)
    audit = _audit({**env, "DATABASE_URL": scene.database.url}, scene.folder)
    say("one undisturbed worker does the same once more")
    again = database.create(env["DATABASE_URL"], database.UNDISTURBED)
    try:
        there = undisturbed.run(env, again, records, scene.partitions, f"{env['PIPELINE_GROUP']}-again", scene.folder)
    finally:
        again.engine.dispose()
    outcome.violations |= invariants.check(replace(here, undisturbed=there))
    outcome.violations["workers end only when they are to"] = [
        f"{each.worker} ended with {each.code} during {each.during}; its log is {each.log}"
        for each in outcome.exits
        if not each.explained
    ]
    outcome.violations["the broker takes every record of the feed"] = [
        f"not taken: {why}" for why in scene.feed.refused
    ]
    zombies = sum(action.kind.startswith("zombie") for action in outcome.actions)
    outcome.violations["every zombie is refused, visibly"] = (
        [f"{zombies} workers stood still, {scene.refused_zombies} were refused"]
        if scene.refused_zombies != zombies
        else []
    )
    outcome.violations["pipeline audit agrees with the tables"] = audit


def _recoveries(scene: Scene, records: Sequence[Record]) -> dict[str, list[float]]:
    appended: dict[int, list[tuple[int, float]]] = {}
    for record in records:
        appended.setdefault(record.partition, []).append((record.offset, record.at))
    found: dict[str, list[float]] = {}
    for fault in scene.faults:
        took = recovery.seconds(fault, scene.changes(), appended)
        if took is not None:
            found.setdefault(fault.cause, []).append(took)
    return found


def _audit(env: dict[str, str], folder: Path) -> list[str]:
    """What `pipeline audit` finds wrong."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "audit"],
        env=env, cwd=folder, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    return [] if done.returncode == 0 else (done.stdout + done.stderr).splitlines() or ["it ended with an error"]
