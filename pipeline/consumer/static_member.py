"""The static member id of a worker: the same after a restart, and different for each worker of a machine."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from pathlib import Path
from typing import IO

from pipeline.errors import InvalidInput

_SLOTS = 64


class StaticMember:
    """An id that this process holds as long as it lives: the host's name and the first slot that no process holds.

    The kernel releases the lock when the process ends, however it ends.
    """

    def __init__(self, group: str, host: str) -> None:
        folder = Path(tempfile.gettempdir())
        name = re.sub(r"[^a-zA-Z0-9._-]", "-", group)
        for slot in range(_SLOTS):
            file = (folder / f"{name}-{os.getuid()}-{slot}.lock").open("w")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                continue
            self._file: IO[str] = file
            self.name = re.sub(r"[^a-zA-Z0-9._-]", "-", f"{host}-{slot}")
            return
        raise InvalidInput(f"{_SLOTS} workers of group {group} run on this machine; set PIPELINE_INSTANCE for more")
