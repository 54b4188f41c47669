"""Servers of a measurement's own, one worker on them, and what the worker takes."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
from confluent_kafka import Producer

from bench.scenarios import Record
from pipeline import settings
from pipeline.contract.encode import Encoder
from pipeline.contract.registry import Registry
from pipeline.contract.schema import schema_text
from pipeline.demo.prepare import prepare
from pipeline.errors import PipelineError
from pipeline.local.stack import Stack
from pipeline.settings import Settings
from pipeline.topics import TOUCHPOINTS

_STOP_S = 60.0
_LAG = re.compile(r"^pipeline_lag_records\{.*\} (\S+)$", re.MULTILINE)
_ASSIGNED = re.compile(r"^pipeline_assigned_partitions ([1-9]\S*)$", re.MULTILINE)


@dataclass
class Rig:
    """A stack of its own with empty topics and tables."""

    settings: Settings
    env: dict[str, str] = field(repr=False)
    folder: Path
    encoder: Encoder
    ledger: psycopg.Connection[Any]

    def producer(self) -> Producer:
        """One that loses nothing and is not waited for."""
        return Producer(
            {
                "bootstrap.servers": self.settings.bootstrap_servers,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
                "linger.ms": 20,
                "queue.buffering.max.messages": 200_000,
                "log_level": 0,
            }
        )

    def produce(self, records: Iterable[Record]) -> None:
        """All records, as fast as the broker takes them."""
        producer = self.producer()
        for record in records:
            put(producer, record)
        if left := producer.flush(60):
            raise PipelineError(f"Kafka has not taken {left:,} records within a minute.")

    def accounted(self) -> dict[str, int]:
        """What became of the records so far, from the table position."""
        found = self.ledger.execute(
            "SELECT coalesce(sum(processed), 0)::bigint, coalesce(sum(duplicates), 0)::bigint, "
            "coalesce(sum(quarantined), 0)::bigint FROM position"
        ).fetchone()
        assert found is not None
        return dict(zip(("processed", "duplicates", "quarantined"), found, strict=True))

    def database_bytes(self) -> int:
        """The size of the database, indexes and all."""
        [size] = self.ledger.execute("SELECT pg_database_size(current_database())").fetchone() or (0,)
        return int(size)


class Meter:
    """A worker, and what was seen of it: memory, and processor time since it has partitions, by `look`; lag by its own
    metrics."""

    def __init__(self, process: subprocess.Popen[bytes], address: str, log: Path) -> None:
        self._process, self._seen, self._log = process, psutil.Process(process.pid), log
        self._url = f"http://{address}/metrics"
        self.rss = self.peak_rss = 0
        self.cpu_s = self._cpu_before = 0.0

    def look(self) -> None:
        """Take a sample; raises PipelineError when the worker has ended."""
        if self._process.poll() is not None:
            end = "\n".join(self._log.read_text(errors="replace").splitlines()[-5:])
            raise PipelineError(f"The worker ended with {self._process.returncode}:\n{end}")
        self.rss = self._seen.memory_info().rss
        self.peak_rss = max(self.peak_rss, self.rss)
        self.cpu_s = sum(self._seen.cpu_times()[:2]) - self._cpu_before

    def metrics(self) -> str:
        """What it tells Prometheus; empty while it does not answer."""
        with suppress(OSError), urllib.request.urlopen(self._url, timeout=5) as answer:
            return str(answer.read().decode())
        return ""

    def lag(self) -> int:
        """Records that wait, as the worker says."""
        return sum(int(float(found)) for found in _LAG.findall(self.metrics()))

    def wait_assigned(self) -> None:
        """Wait until it has partitions."""
        end = time.monotonic() + _STOP_S
        while not _ASSIGNED.search(self.metrics()):
            self.look()
            if time.monotonic() > end:
                raise PipelineError(f"The worker got no partitions within {_STOP_S:.0f} s; its log is {self._log}.")
            time.sleep(0.05)
        self.look()
        self._cpu_before = self.cpu_s


def put(producer: Producer, record: Record) -> None:
    """Hand over a record; waits while the producer's queue is full."""
    key, value = record
    while True:
        try:
            producer.produce(TOUCHPOINTS, value, key)
            return
        except BufferError:
            producer.poll(0.05)


@contextmanager
def rig() -> Iterator[Rig]:
    """Servers in a temporary folder, which are stopped and removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="pipeline-bench-"))
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    stack = Stack(folder)
    try:
        stack.up()
        servers = stack.env()
        found = settings.load(servers)
        prepare(found)
        encoder = Encoder(Registry(found.registry_url).current_id(TOUCHPOINTS), schema_text(TOUCHPOINTS))
        with psycopg.connect(servers["DATABASE_URL"].replace("+psycopg", "", 1), autocommit=True) as ledger:
            yield Rig(found, {**os.environ, **servers}, folder, encoder, ledger)
    finally:
        stack.down(delete=True)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def worker(rig: Rig) -> Iterator[Meter]:
    """One worker, as `pipeline worker` runs it, with its partitions; stopped at the end."""
    address = f"127.0.0.1:{_free_port()}"
    log = rig.folder / "worker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "worker", "--log-level", "warning"],
            env={**rig.env, "PIPELINE_METRICS_ADDRESS": address},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            meter = Meter(process, address, log)
            meter.wait_assigned()
            yield meter
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
