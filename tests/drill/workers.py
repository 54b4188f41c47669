"""Workers under a supervisor that starts them again, as systemd or Docker does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

#: Seconds between the end of a process and its next start.
_RESTART_S = 2.0


class Supervised:
    """A command that is started again whenever it ends, until `stop`."""

    def __init__(self, name: str, arguments: Sequence[str], env: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.arguments = arguments
        self._env, self._folder = env, folder
        self._wanted = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._overrides: dict[str, str] = {}

    @property
    def log(self) -> Path:
        """Return the file of its log."""
        return self._folder / f"{self.name}.log"

    def start(self, **settings: str) -> None:
        """Start it, with settings of its own; they hold until the next call."""
        self._overrides = settings
        self._wanted.set()
        self._thread = threading.Thread(target=self._keep, name=self.name, daemon=True)
        self._thread.start()

    def _keep(self) -> None:
        while self._wanted.is_set():
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "pipeline", *self.arguments],
                    env={**os.environ, **self._env, **self._overrides},
                    cwd=self._folder,
                    stdout=log,
                    stderr=log,
                )
                self._process.wait()
            if self._wanted.is_set():
                time.sleep(_RESTART_S)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it for good: by SIGTERM, or by another signal."""
        self._wanted.clear()
        self.send(number)
        if self._thread is not None:
            self._thread.join(60)

    def send(self, number: int) -> None:
        """Send the process a signal."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def restart(self, **settings: str) -> None:
        """Stop it with SIGTERM, and start it."""
        self.stop()
        self.start(**settings)

    def last_lines(self, number: int = 3) -> list[str]:
        """Return the last warnings and errors of its log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return [line for line in lines if '"level": "info"' not in line][-number:]


class Worker(Supervised):
    """A worker whose metrics are at a port of its own."""

    def __init__(self, name: str, env: Mapping[str, str], folder: Path) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        own = {"PIPELINE_METRICS_ADDRESS": self.address, "PIPELINE_INSTANCE": name}
        super().__init__(name, ["worker"], {**env, **own}, folder)

    def readyz(self) -> str:
        """Return what /readyz says."""
        try:
            with urllib.request.urlopen(f"http://{self.address}/readyz", timeout=5) as answer:
                return str(answer.read().decode().strip())
        except urllib.error.HTTPError as refused:
            return str(refused.read().decode().strip())
        except OSError:
            return "no answer"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
