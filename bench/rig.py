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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import psutil
import psycopg
from confluent_kafka import Producer

from bench.processes import cpu_s, forget_peak, peak_rss
from bench.scenarios import Record
from pipeline import settings
from pipeline.contract.encode import Encoder
from pipeline.contract.registry import touchpoint_encoder
from pipeline.demo.prepare import PARTITIONS, prepare
from pipeline.errors import PipelineError
from pipeline.local.stack import Stack
from pipeline.settings import Settings
from pipeline.topics import TOUCHPOINTS

_STOP_S = 60.0
_LAG = re.compile(r"^pipeline_lag_records\{.*\} (\S+)$", re.MULTILINE)
_ASSIGNED = re.compile(r"^pipeline_assigned_partitions (\S+)$", re.MULTILINE)


@dataclass
class Rig:
    """A stack of its own with empty topics and tables."""

    settings: Settings
    env: dict[str, str] = field(repr=False)
    folder: Path
    encoder: Encoder
    ledger: psycopg.Connection[Any]
    stack: Stack

    def producer(self, *, linger_ms: int = 20, more: Mapping[str, Any] | None = None) -> Producer:
        """Return one that loses nothing and is not waited for; `more` are settings of librdkafka's."""
        return Producer(
            {
                "bootstrap.servers": self.settings.kafka.bootstrap_servers,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
                "linger.ms": linger_ms,
                "queue.buffering.max.messages": 200_000,
                "log_level": 0,
                **(more or {}),
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
        """Return what became of the records so far, from the table position."""
        found = self.ledger.execute(
            "SELECT coalesce(sum(processed), 0)::bigint, coalesce(sum(duplicates), 0)::bigint, "
            "coalesce(sum(quarantined), 0)::bigint FROM position"
        ).fetchone()
        assert found is not None
        return dict(zip(("processed", "duplicates", "quarantined"), found, strict=True))

    def database_bytes(self) -> int:
        """Return the size of the database, indexes and all."""
        [size] = self.ledger.execute("SELECT pg_database_size(current_database())").fetchone() or (0,)
        return int(size)

    def wal_bytes(self) -> int:
        """Return how much write-ahead log the database has ever written."""
        [position] = self.ledger.execute("SELECT pg_current_wal_lsn() - '0/0'").fetchone() or (0,)
        return int(position)

    def topic_bytes(self, topic: str) -> int:
        """Return the size of a topic on the broker's disk, one replica."""
        files = self.folder.rglob(f"{topic}-*/*.log")
        return sum(file.stat().st_size for file in files)


class Meter:
    """A worker, and what was seen of it: memory, and processor time since it has partitions, by `look`; lag by its own
    metrics.

    `peak_rss` is the most memory ever, `peak_since` the most since `forget_peak`, in bytes. `startup_cpu_s` is the
    processor time until it had partitions, `began_at` when that was (of `time.monotonic`).
    """

    def __init__(self, process: subprocess.Popen[bytes], address: str, log: Path) -> None:
        self._process, self._seen, self._log = process, psutil.Process(process.pid), log
        self._url = f"http://{address}/metrics"
        self.pid = process.pid
        self.rss = self.peak_rss = self.peak_since = 0
        self.cpu_s = self.startup_cpu_s = self.began_at = 0.0

    def look(self) -> None:
        """Take a sample; raises PipelineError when the worker has ended."""
        if self._process.poll() is not None:
            self.fail(f"The worker ended with {self._process.returncode}.")
        self.rss = self._seen.memory_info().rss
        self.peak_since = max(self.peak_since, peak_rss(self.pid))
        self.peak_rss = max(self.peak_rss, self.peak_since)
        self.cpu_s = cpu_s(self._seen) - self.startup_cpu_s

    def forget_peak(self) -> None:
        """Let `peak_since` begin anew; `peak_rss` stays that of the whole time."""
        self.look()
        forget_peak(self.pid)
        self.peak_since = 0

    def fail(self, why: str) -> NoReturn:
        """Raise PipelineError with the last lines of the log."""
        raise PipelineError(f"{why} The last lines of its log:\n{log_end(self._log)}")

    def metrics(self) -> str:
        """Return what it tells Prometheus; waits until it answers, raises PipelineError where it does not."""
        end = time.monotonic() + _STOP_S
        while not (told := self._scraped()):
            self.look()
            if time.monotonic() > end:
                self.fail(f"The worker's metrics were not served within {_STOP_S:.0f} s.")
            time.sleep(0.05)
        return told

    def _scraped(self) -> str:
        """Return what it tells Prometheus; empty where it does not answer in time."""
        with suppress(OSError), urllib.request.urlopen(self._url, timeout=5) as answer:
            return str(answer.read().decode())
        return ""

    def lag(self) -> int:
        """Records that wait, as the worker says."""
        return sum(int(float(found)) for found in _LAG.findall(self.metrics()))

    def assigned(self) -> int:
        """Return how many partitions it has, as it says."""
        found = _ASSIGNED.search(self._scraped())
        return int(float(found[1])) if found else 0

    def wait_assigned(self) -> None:
        """Wait until it has partitions; what it did since it was last looked at may be work on records."""
        self.began_at = time.monotonic()
        end = self.began_at + _STOP_S
        while not self.assigned():
            self.look()
            self.began_at = time.monotonic()
            if self.began_at > end:
                self.fail(f"The worker got no partitions within {_STOP_S:.0f} s.")
            time.sleep(0.05)
        self.startup_cpu_s, self.cpu_s = self.cpu_s, 0.0


def log_end(log: Path) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-10:])


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
def rig(*, partitions: int = PARTITIONS, postgres: Mapping[str, str] | None = None) -> Iterator[Rig]:
    """Servers in a temporary folder, which are stopped and removed at the end.

    Each topic has so many `partitions`; `postgres` are settings of the database server's beside the usual ones.
    """
    folder = Path(tempfile.mkdtemp(prefix="pipeline-bench-"))
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    stack = Stack(folder, postgres=postgres)
    try:
        stack.up()
        servers = stack.env()
        found = settings.load(servers)
        prepare(found, partitions)
        encoder = touchpoint_encoder(found.registry)
        with psycopg.connect(servers["DATABASE_URL"].replace("+psycopg", "", 1), autocommit=True) as ledger:
            yield Rig(found, {**os.environ, **servers}, folder, encoder, ledger, stack)
    finally:
        stack.down(delete=True)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def worker(
    rig: Rig, name: str = "worker", *, arguments: Sequence[str] = (), settings: Mapping[str, str] | None = None
) -> Iterator[Meter]:
    """Give one worker, as `pipeline worker` runs it, with its partitions; stopped at the end. Its log is `name`.log.

    It gets further `arguments`, and `settings` in its environment.
    """
    address = f"127.0.0.1:{_free_port()}"
    log = rig.folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "pipeline", "worker", "--log-level", "warning", *arguments],
            env={**rig.env, "PIPELINE_METRICS_ADDRESS": address, **(settings or {})},
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
