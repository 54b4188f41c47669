"""Stacks of servers that tests have for themselves."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.local.stack import Stack


@contextmanager
def private_stack(prefix: str, *, secure: bool = False) -> Iterator[Stack]:
    """Start Kafka, a schema registry and Postgres in a new folder; stop them and delete it in the end.

    Pytest's own temporary folder is closed to other users; as root, Postgres's user has to pass through this one.
    """
    from pipeline.local.stack import Stack

    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    # Tests kill servers, and the machine stays up: what Postgres has written is there without being forced to the disk.
    stack = Stack(folder, postgres={"fsync": "off"}, brief=True)
    try:
        stack.up(secure=secure)
        yield stack
    finally:
        stack.down(delete=True)
        shutil.rmtree(folder, ignore_errors=True)
