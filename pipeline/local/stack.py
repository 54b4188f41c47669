"""The stack of one folder: Kafka, the schema registry and Postgres, started, stopped and shown together."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Lock

from fasteners import InterProcessLock  # type: ignore[import-untyped]

from pipeline.errors import PipelineError
from pipeline.local import artifacts, files, ports
from pipeline.local.errors import Cancelled, capitalised
from pipeline.local.kafka import Kafka
from pipeline.local.layout import Layout
from pipeline.local.postgres import Postgres
from pipeline.local.progress import Progress, Silent
from pipeline.local.registry import Registry
from pipeline.local.security import MECHANISM, USER, Security
from pipeline.local.server import Server, Status
from pipeline.local.state import State

#: maximum time for a running server to answer; then it counts as hung and is restarted
PATIENCE_SECONDS = 10.0
LOCK_SECONDS = 600.0


class Stack:
    """A private stack under `<folder>/.pipeline/`. The servers outlive the process that starts them.

    `postgres` are settings of the database server's own (name → value) beside the usual ones. A `brief` stack is for
    some minutes: it starts with less processor time, and has less throughput in the long run.
    """

    def __init__(
        self, folder: Path | str = ".", *, postgres: Mapping[str, str] | None = None, brief: bool = False
    ) -> None:
        self.layout = Layout.of(Path(folder))
        self.state = State(self.layout.state)
        installed = artifacts.installed()
        self.security = Security(self.layout)
        self.postgres = Postgres(self.layout, self.state, postgres)
        self.registry = Registry(self.layout, self.state, installed, self.postgres, self.security)
        self.kafka = Kafka(self.layout, self.state, installed, self.security, brief=brief)
        self._servers: dict[str, Server] = {s.name: s for s in (self.kafka, self.registry, self.postgres)}

    def server(self, name: str) -> Server:
        """Return one of `kafka`, `registry` and `postgres`."""
        return self._servers[name]

    def up(self, progress: Progress | None = None, *, secure: bool = False) -> None:
        """Start what doesn't run, wait until all three answer, and write `.pipeline/env`.

        With `secure`, Kafka and the registry use TLS, and clients of Kafka authenticate; a secure stack stays so.

        What a killed run left is repaired. If a server can't be started, those that this call started are
        stopped again and the error, which names the log, is raised.
        """
        progress = progress or Silent()
        self._make_root()
        with self._locked(progress):
            self._make_root()  # again: a `down --delete` may have gone before
            self.state.reload()
            if secure and not self.security.is_on:
                self._secure()
            if all(status.state == "running" for status in self.status()):
                self._write_env()
                progress.note("Kafka, the schema registry and Postgres are running already.")
                return
            artifacts.install(progress)
            self._assign_ports()
            with _Start(progress) as start:
                start.also(lambda: start.bring_up(self.kafka))
                start.also(lambda: start.bring_up(self.postgres, then=self.registry))
            self._write_env()

    def _secure(self) -> None:
        if any(server.process() is not None for server in self._servers.values()):
            raise PipelineError(
                "The stack runs without TLS. Run `pipeline down` first, and then `pipeline up --secure`."
            )
        self.security.create((self.kafka.name, self.registry.name))

    def down(self, progress: Progress | None = None, *, delete: bool = False) -> bool:
        """Stop the servers: Kafka and the registry, then Postgres. Return whether any was running.

        Data is kept unless `delete`, which removes `.pipeline` altogether.
        """
        progress = progress or Silent()
        if not self.layout.root.exists():
            return False
        with self._locked(progress):
            self.state.reload()
            running = [server for server in self._servers.values() if server.process() is not None]
            for file in (self.layout.env, self.layout.pgpass):
                file.unlink(missing_ok=True)
            first = [server for server in running if server is not self.postgres]
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda server: _stop(server, progress), first))
            if self.postgres in running:
                _stop(self.postgres, progress)
            if delete:
                self.postgres.delete_elsewhere()
                self._remove_root()
        if delete:
            self.state.reload()
        return bool(running)

    def status(self) -> tuple[Status, ...]:
        """Return the state of each server."""
        self.state.reload()
        with ThreadPoolExecutor(len(self._servers)) as pool:
            return tuple(pool.map(lambda server: server.status(), self._servers.values()))

    def env(self) -> dict[str, str]:
        """Return the settings that point to this stack; the database URL holds a password."""
        env = {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.address,
            "SCHEMA_REGISTRY_URL": self.registry.url,
            "DATABASE_URL": self.postgres.url(),
        }
        if self.security.is_on:
            env |= {
                "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
                "KAFKA_SASL_MECHANISM": MECHANISM,
                "KAFKA_SASL_USERNAME": USER,
                "KAFKA_SASL_PASSWORD_FILE": str(self.security.password_file),
                "KAFKA_SSL_CA_FILE": str(self.security.ca),
                "SCHEMA_REGISTRY_CA_FILE": str(self.security.ca),
            }
        return env

    def _make_root(self) -> None:
        """Create `.pipeline`; other users can enter it only where root's Postgres runs as one."""
        mode = 0o711 if os.geteuid() == 0 else 0o700
        try:
            for folder in (self.layout.root, self.layout.root / "data"):
                if not folder.exists():
                    folder.mkdir(exist_ok=True)
                    folder.chmod(mode)
        except OSError as error:
            raise PipelineError(
                f"Can't make {self.layout.root}: {error.strerror or error}. Go to a folder of your own, or name one "
                "with --folder."
            ) from error

    def _remove_root(self) -> None:
        """Remove `.pipeline`, the lock last, so that a command that waits for it finds nothing half-removed."""
        for path in self.layout.root.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path != self.layout.lock:
                path.unlink()
        self.layout.lock.unlink()
        with suppress(OSError):  # another `pipeline up` has come in
            self.layout.root.rmdir()

    def _assign_ports(self) -> None:
        """Keep the ports of running servers; for the others, replace ports that are taken."""
        before = dict(self.state.ports)
        for server in self._servers.values():
            if server.process() is not None and not set(server.port_names) <= set(before):
                server.stop()  # the state file was lost, and with it where this one listens
        idle = [server for server in self._servers.values() if server.process() is None]
        names = [name for server in idle for name in server.port_names]
        self.state.keep_ports(ports.choose(names, before))
        if self.registry not in idle and before.get("postgres") != self.state.ports["postgres"]:
            self.registry.stop()  # it would look for Postgres in its old place

    def _write_env(self) -> None:
        text = "".join(f"{name}={value}\n" for name, value in self.env().items())
        files.write(self.layout.env, text, mode=0o600)
        host, _, port = self.postgres.address.rpartition(":")
        line = f"{host}:{port}:*:{self.postgres.user}:{self.postgres.password}\n"
        files.write(self.layout.pgpass, line, mode=0o600)

    @contextmanager
    def _locked(self, progress: Progress) -> Iterator[None]:
        """Lock the folder; wait for another `up` or `down`."""
        while True:
            lock = InterProcessLock(self.layout.lock)
            if not lock.acquire(blocking=False):
                with progress.step("Waiting for another `pipeline up` or `down` in this folder"):
                    if not lock.acquire(timeout=LOCK_SECONDS):
                        raise PipelineError(
                            f"Another `pipeline up` or `down` has held {self.layout.lock} for "
                            f"{LOCK_SECONDS:.0f} seconds; end it first."
                        )
            try:
                current = self.layout.lock.stat().st_ino == os.fstat(lock.lockfile.fileno()).st_ino
            except FileNotFoundError:
                current = False
            if current:
                break
            lock.release()  # `down --delete` removed the file while this waited for it
            self._make_root()
        try:
            yield
        finally:
            lock.release()


class _Start:
    """Starts several servers at once: all of them, or none that wasn't running before."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._pool = ThreadPoolExecutor()
        self._futures: list[Future[None]] = []
        self._cancelled = Event()
        self._lock = Lock()
        self._started: list[Server] = []

    def __enter__(self) -> _Start:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                wait(self._futures, return_when=FIRST_EXCEPTION)
        finally:
            complete = kind is None and all(f.done() and f.exception() is None for f in self._futures)
            self._cancelled.set()
            self._pool.shutdown(wait=True)
            if not complete:
                for server in reversed(self._started):
                    server.stop()
        errors = [error for future in self._futures if (error := future.exception()) is not None]
        errors.sort(key=lambda error: isinstance(error, Cancelled))
        if errors and kind is None:
            raise errors[0]

    def also(self, work: Callable[[], None]) -> None:
        """Run a function at the same time as the rest."""
        self._futures.append(self._pool.submit(work))

    def bring_up(self, server: Server, *, then: Server | None = None) -> None:
        """Start a server if need be and wait until it answers; then start the one that needs it."""
        if server.status().state != "running":
            began = time.monotonic()
            with self._progress.step(f"Starting {server.title}"):
                self._start(server)
            seconds = time.monotonic() - began
            self._progress.note(f"{capitalised(server.title)} answers on {server.address} ({seconds:.1f} s).")
        if then is not None:
            self.bring_up(then)

    def _start(self, server: Server) -> None:
        if server.process() is not None and not self._answers_soon(server):
            server.stop(hard=True)  # it hangs
        if server.process() is None:
            with self._lock:
                if self._cancelled.is_set():
                    raise Cancelled(f"{capitalised(server.title)} was not started")
                self._started.append(server)
            server.start()
            server.wait_ready(cancelled=self._cancelled)

    def _answers_soon(self, server: Server) -> bool:
        try:
            server.wait_ready(PATIENCE_SECONDS, self._cancelled)
        except Cancelled:
            raise
        except PipelineError:
            return False
        return True


def _stop(server: Server, progress: Progress) -> None:
    with progress.step(f"Stopping {server.title}"):
        server.stop()
