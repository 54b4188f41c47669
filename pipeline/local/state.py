"""The state kept between commands: ports, and the process of each server."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from pipeline.local import files

VERSION = 1
T = TypeVar("T")


class State:
    """The state file, `.pipeline/state.json`; each change is written at once.

    A file that is missing or unreadable counts as empty: new ports are chosen then, and processes are found by
    their command lines.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = Lock()
        self.ports: dict[str, int] = {}
        self.pids: dict[str, int] = {}
        self.places: dict[str, str] = {}
        self.reload()

    def reload(self) -> None:
        """Read the file again, for what another process wrote meanwhile."""
        try:
            document = json.loads(self._file.read_text())
        except (OSError, ValueError):
            document = {}
        if not isinstance(document, dict) or document.get("version") != VERSION:
            document = {}
        self.ports = _typed(document.get("ports"), int)
        self.pids = _typed(document.get("pids"), int)
        self.places = _typed(document.get("places"), str)

    def keep_ports(self, ports: dict[str, int]) -> None:
        """Keep these ports beside the others."""
        with self._lock:
            self.ports |= ports
            self._save()

    def keep_pid(self, server: str, pid: int | None) -> None:
        """Remember a server's process, or that it has none."""
        with self._lock:
            self.pids.pop(server, None)
            if pid is not None:
                self.pids[server] = pid
            self._save()

    def keep_place(self, server: str, folder: Path) -> None:
        """Remember a server's data folder that is not in `.pipeline/data`."""
        with self._lock:
            self.places[server] = str(folder)
            self._save()

    def _save(self) -> None:
        if not self._file.parent.exists():
            return
        document = {"version": VERSION, "ports": self.ports, "pids": self.pids, "places": self.places}
        files.write(self._file, json.dumps(document, indent=2) + "\n")


def _typed(value: Any, kind: type[T]) -> dict[str, T]:
    return {k: v for k, v in value.items() if isinstance(v, kind)} if isinstance(value, dict) else {}
