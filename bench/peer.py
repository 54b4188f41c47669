"""The same session job on other engines, and one run of such a job. See peers/README.md."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient, NewTopic

from bench.build import Java, Python
from bench.processes import ended_children, peak_rss
from bench.result import Measured
from bench.rig import Rig, log_end
from bench.sessions import Found, found, of_table, of_topic
from pipeline.errors import PipelineError
from pipeline.topics import TOUCHPOINTS

SCHEMA = Path(__file__).resolve().parents[1] / "schemas" / "touchpoint.avsc"
_LOOK_EVERY_S = 0.05
_RUNS = count(1)
#: Flink serialises by reflection what it finds in these.
_OPENS = tuple(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in ("util", "lang", "time"))


@dataclass(frozen=True)
class Peer:
    """A job on another engine.

    It writes its sessions into `into`: a topic, a table, or nothing. `most_events` bounds what it processes, for a job
    that would take too long; `exact` says whether it is to find the true sessions.
    """

    build: Java | Python
    arguments: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    into: str = "topic"
    exact: bool = True
    most_events: int | None = None
    limit_s: float = 900.0

    def run(self, rig: Rig, events: int, command: list[str], partitions: int) -> Measured:
        """Process the topic with what `build` has made. Raises PipelineError if it does not."""
        name = f"peer-{next(_RUNS)}"
        out = name.replace("-", "_") if self.into == "table" else f"{name}-out"
        servers = rig.settings.kafka.bootstrap_servers
        if self.into == "topic":
            _create(servers, out, partitions)
        with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=rig.folder) as work:
            environment = {
                **os.environ,
                **self.settings,
                "APP": name,
                "BOOTSTRAP": servers,
                "TOPIC": TOUCHPOINTS,
                "PARTITIONS": str(partitions),
                "EVENTS": str(min(events, self.most_events or events)),
                "OUT": out,
                "WORK": work,
                "PG": rig.env["DATABASE_URL"].replace("+psycopg", "", 1),
                "PEERS_SCHEMA": str(SCHEMA),
            }
            with ended_children() as whole:
                said, peak = self._to_its_end([*command, *self.arguments], environment, rig.folder / f"{name}.log")
        return Measured(
            version=said["version"],
            events=said["events"],
            seconds=said["seconds"],
            cpu_s=whole.cpu_s,
            cpu_s_from_first=said["cpu_s_from_first"],
            peak_rss=peak,
            found=partial(self._found, rig, name, out),
        )

    def _to_its_end(self, argv: list[str], environment: Mapping[str, str], log: Path) -> tuple[dict[str, Any], int]:
        """Return what it says, and the most memory that it had, in bytes."""
        peak, end = 0, time.monotonic() + self.limit_s
        said = log.with_suffix(".out")
        with said.open("wb") as output, log.open("wb") as errors:
            process = subprocess.Popen(
                argv, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=errors
            )
            try:
                while process.poll() is None:
                    peak = max(peak, peak_rss(process.pid))
                    if time.monotonic() > end:
                        raise PipelineError(f"It has not ended within {self.limit_s:.0f} s.\n{log_end(log)}")
                    time.sleep(_LOOK_EVERY_S)
            finally:
                process.kill()
                process.wait()
        lines = [line for line in said.read_text(errors="replace").splitlines() if line.startswith('{"version"')]
        if process.returncode != 0 or not lines:
            raise PipelineError(f"It ended with {process.returncode}. The last lines of its log:\n{log_end(log)}")
        return json.loads(lines[-1]), peak

    def _found(self, rig: Rig, name: str, out: str) -> Found | None:
        """Count its sessions, and remove its topics."""
        servers = rig.settings.kafka.bootstrap_servers
        try:
            if self.into == "topic":
                return found(of_topic(servers, out))
            return found(of_table(rig.ledger, out)) if self.into == "table" else None
        finally:
            _remove(servers, name)


_FLINK, _KSTREAMS = Java("flink"), Java("kstreams")
_FAUST = ("worker", "-l", "warn", "--without-web")

PEERS: dict[str, Peer] = {
    "flink-eos": Peer(_FLINK, (*_OPENS, "SessionsFlink"), {"SINK": "kafka"}),
    "flink-pg": Peer(_FLINK, (*_OPENS, "SessionsFlink"), {"SINK": "pg"}, into="table"),
    "kstreams-eos": Peer(_KSTREAMS, ("SessionsKStreams",)),
    "bytewax": Peer(Python("bytewax")),
    "quix": Peer(Python("quix"), exact=False),
    "faust-empty": Peer(Python("faust"), _FAUST, {"BODY": "empty"}, into="", exact=False, most_events=50_000),
    "faust-table": Peer(Python("faust"), _FAUST, {"BODY": "table"}, exact=False, most_events=50_000),
    "faust-pg": Peer(Python("faust"), _FAUST, {"BODY": "pg"}, into="table", exact=False, most_events=50_000),
}
USUAL = ("flink-eos", "flink-pg", "kstreams-eos", "bytewax")


def _create(servers: str, topic: str, partitions: int) -> None:
    # event times are old: the usual retention would delete records before they are counted
    new = NewTopic(topic, partitions, 1, config={"retention.ms": "-1"})
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    for future in admin.create_topics([new]).values():
        future.result(30)


def _remove(servers: str, name: str) -> None:
    """Delete the topics that a run has made, its engine's own among them."""
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    mine = [topic for topic in admin.list_topics(timeout=10).topics if f"{name}-" in f"{topic}-"]
    for future in (admin.delete_topics(mine) if mine else {}).values():
        future.result(30)
