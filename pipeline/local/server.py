"""What the three servers have in common: they are prepared, started, waited for, and stopped."""

from __future__ import annotations

import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import ClassVar

import psutil  # type: ignore[import-untyped]

from pipeline.local import files, logs, ports, processes
from pipeline.local.errors import Cancelled, StartFailed
from pipeline.local.layout import Layout
from pipeline.local.processes import Launch
from pipeline.local.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The state of a server at a moment. `state` is `running`, `not answering` or `stopped`."""

    name: str
    state: str
    pid: int | None
    address: str
    since: datetime | None
    log: Path


class Server(ABC):
    """One server of a stack. A restarted server keeps its ports and data."""

    name: ClassVar[str]
    title: ClassVar[str]
    #: names of the ports it listens on; clients use the first
    port_names: ClassVar[Sequence[str]]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_seconds: ClassVar[float] = 20.0
    ready_seconds: ClassVar[float] = 90.0

    def __init__(self, layout: Layout, state: State) -> None:
        self.layout = layout
        self.state = state
        self._child: psutil.Popen | None = None

    @property
    def data(self) -> Path:
        """Return the folder of its data."""
        return self.layout.data(self.name)

    @property
    def log(self) -> Path:
        """Return its log file."""
        return self.layout.log(self.name)

    @property
    def port(self) -> int:
        """Return the port that clients use."""
        return self.state.ports[self.port_names[0]]

    @property
    def address(self) -> str:
        """Return host and port, or an empty string before the first start."""
        return f"{ports.HOST}:{self.port}" if self.port_names[0] in self.state.ports else ""

    @property
    @abstractmethod
    def mark(self) -> str:
        """Return the argument that identifies this server of this folder on command lines."""

    @abstractmethod
    def prepare(self) -> Launch:
        """Prepare data and configuration, repair what a killed run left, and return how to start."""

    @abstractmethod
    def answers(self) -> bool:
        """Return whether it can serve now; takes a few seconds at most."""

    def settle(self) -> bool:
        """Return whether it is ready for clients; called repeatedly after a start."""
        return self.answers()

    def process(self) -> psutil.Process | None:
        """Return its process, or None if it does not run."""
        if self._child is not None:
            self._child.poll()  # reap it if it has ended
        return processes.find(self.mark, self.state.pids.get(self.name))

    def start(self) -> None:
        """Start it if it doesn't run; call `wait_ready` afterwards."""
        if self.process() is not None:
            return
        files.emptied(self.layout.scratch(self.name))
        launch = self.prepare()
        with logs.opened(self.log, self.title) as log:
            self._child = processes.spawn(launch, log)
        self.state.keep_pid(self.name, self._child.pid)

    def wait_ready(self, seconds: float | None = None, cancelled: Event | None = None) -> None:
        """Wait until it answers. Raises StartFailed when it ends instead or takes too long."""
        seconds = self.ready_seconds if seconds is None else seconds
        deadline = time.monotonic() + seconds
        while not (ports.open_(self.port) and self.settle()):
            if self.process() is None:
                raise StartFailed(self.title, "ended while it was starting", self.log)
            if cancelled is not None and cancelled.is_set():
                raise Cancelled(f"{self.title} was not waited for")
            if time.monotonic() > deadline:
                what = f"did not answer on {self.address} within {seconds:.0f} seconds"
                raise StartFailed(self.title, what, self.log)
            time.sleep(processes.POLL_SECONDS)

    def stop(self, hard: bool = False) -> None:
        """Stop it and wait for its end; `hard` kills it, as a crash would."""
        process = self.process()
        if process is not None:
            processes.end(process, signal.SIGKILL if hard else self.stop_signal, self.stop_seconds)
        if self._child is not None:
            self._child.poll()
            self._child = None
        self.state.keep_pid(self.name, None)

    def status(self) -> Status:
        """Return its state now."""
        process = self.process()
        since = _since(process)
        if process is None or since is None:
            return Status(name=self.name, state="stopped", pid=None, address=self.address, since=None, log=self.log)
        state = "running" if ports.open_(self.port) and self.answers() else "not answering"
        return Status(name=self.name, state=state, pid=process.pid, address=self.address, since=since, log=self.log)


def _since(process: psutil.Process | None) -> datetime | None:
    try:
        return None if process is None else datetime.fromtimestamp(process.create_time(), UTC)
    except psutil.NoSuchProcess:
        return None
