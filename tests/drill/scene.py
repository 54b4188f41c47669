"""What runs in a drill: servers, workers, producers, an audit, and a Prometheus that watches them."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka import Producer
from sqlalchemy import Connection

from drill.prometheus import Prometheus
from drill.workers import Supervised, Worker, free_port
from pipeline.connections.database import sync_engine
from pipeline.topics import TOUCHPOINTS

if TYPE_CHECKING:
    from pipeline.local.stack import Stack

PARTITIONS = 4
#: Touchpoints a second.
RATE = 60
_ONLY_THEIRS = ("PIPELINE_", "KAFKA_", "DATABASE_", "SCHEMA_")


class Scene:
    """The parts of a drill."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack, self.folder = stack, folder
        self.env = {**stack.env(), "PIPELINE_GROUP": "drill"}
        self.workers = [Worker(f"drill-{number}", self.env, folder) for number in (1, 2)]
        self.prometheus = Prometheus(folder)
        self._seeds = itertools.count(1)
        feed = ["simulate", "--events", "10000000", "--customers", "2000", "--rate", str(RATE), "--days", "60"]
        self.feed = Supervised("feed", feed, self.env, folder)
        self.audit_address = f"127.0.0.1:{free_port()}"
        self.audit = Supervised(
            "audit", ["audit", "--every", "2m"], {**self.env, "PIPELINE_METRICS_ADDRESS": self.audit_address}, folder
        )
        self._exporter: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start everything."""
        self.run("init", "--partitions", str(PARTITIONS))
        for worker in self.workers:
            worker.start()
        self.feed.start()
        self.audit.start()
        self.prometheus.start()
        self.watch(self.workers)
        self.prometheus.set_targets("pipeline-audit", [self.audit_address])
        self._export_postgres()

    def watch(self, workers: Sequence[Worker]) -> None:
        """Let Prometheus know these workers, and no others."""
        self.prometheus.set_targets("pipeline", [worker.address for worker in workers])

    def _export_postgres(self) -> None:
        """Run the exporter for Postgres, where it is installed."""
        if shutil.which("prometheus-postgres-exporter") is None:
            return
        address = f"127.0.0.1:{free_port()}"
        url = self.env["DATABASE_URL"].replace("postgresql+psycopg", "postgresql") + "?sslmode=disable"
        with (self.folder / "postgres-exporter.log").open("wb") as log:
            self._exporter = subprocess.Popen(
                ["prometheus-postgres-exporter", f"--web.listen-address={address}"],
                env={**os.environ, "DATA_SOURCE_NAME": url},
                stdout=log,
                stderr=log,
            )
        self.prometheus.set_targets("postgres", [address])

    def run(self, *arguments: str) -> str:
        """Run a command to its end; return what it said."""
        outside = {name: value for name, value in os.environ.items() if not name.startswith(_ONLY_THEIRS)}
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", *arguments],
            env={**outside, **self.env},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return done.stdout + done.stderr

    @contextmanager
    def database(self) -> Iterator[Connection]:
        """A connection of an administrator's."""
        engine = sync_engine(self.env["DATABASE_URL"])
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    def producer(self, **settings: str | int) -> Producer:
        """A producer that is not the project's."""
        servers = {"bootstrap.servers": self.env["KAFKA_BOOTSTRAP_SERVERS"], "partitioner": "murmur2_random"}
        return Producer({**servers, **settings})

    def produce(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Keys and values, as they are."""
        producer = self.producer()
        for key, value in records:
            producer.produce(TOUCHPOINTS, value, key)
        producer.flush(30)

    def close(self) -> None:
        """Stop everything but the servers."""
        for each in (self.feed, self.audit, *self.workers):
            each.stop()
        self.prometheus.stop()
        if self._exporter is not None:
            self._exporter.terminate()
            self._exporter.wait(10)
