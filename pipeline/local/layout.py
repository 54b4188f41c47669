"""The files of the local stack: all are under `<folder>/.pipeline/`."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one project's stack; `folder` is absolute, with symbolic links resolved."""

    folder: Path

    @classmethod
    def of(cls, folder: Path) -> Layout:
        """Return the layout of a folder that a user has named."""
        return cls(folder.resolve())

    @property
    def root(self) -> Path:
        """Return the folder that holds all of it."""
        return self.folder / ".pipeline"

    @property
    def env(self) -> Path:
        """Return the file that other commands read: `KEY=value` lines; it exists while the stack is up."""
        return self.root / "env"

    @property
    def state(self) -> Path:
        """Return the file of ports and processes (JSON)."""
        return self.root / "state.json"

    @property
    def lock(self) -> Path:
        """Return the lock that a command holds while it starts or stops servers."""
        return self.root / "lock"

    @property
    def pgpass(self) -> Path:
        """Return the password file for libpq (PGPASSFILE); it exists while the stack is up."""
        return self.root / "pgpass"

    @property
    def password(self) -> Path:
        """Return the file of the database password, which only its owner can read."""
        return self.root / "password"

    def data(self, server: str) -> Path:
        """Return the folder of a server's data."""
        return self.root / "data" / server

    def config(self, server: str) -> Path:
        """Return the folder of a server's generated configuration; rewritten at each start."""
        return self.root / "config" / server

    def scratch(self, server: str) -> Path:
        """Return the folder of a server's temporary files; emptied at each start."""
        return self.root / "tmp" / server

    def log(self, server: str) -> Path:
        """Return a server's log; see `logs.rotate`."""
        return self.root / "logs" / f"{server}.log"

    @property
    def digest(self) -> str:
        """Return a digest that identifies this folder in names outside it."""
        return hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]
