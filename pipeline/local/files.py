"""Files and folders that are written in one step."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path


def write(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Replace a file's text in one step; a reader sees the old text or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(handle, mode)
            file.write(text)
            file.flush()
            os.fsync(handle)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def emptied(folder: Path) -> Path:
    """Return the folder, which exists and is empty afterwards."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def beside(folder: Path) -> Path:
    """Return a new, empty folder beside `folder`, to be filled and then moved there.

    Each has a name of its own, since a tool that a killed run started may still be writing to its.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}.new-"))


def clear_beside(folder: Path) -> None:
    """Remove the unfinished folders of killed runs beside `folder`."""
    for half in folder.parent.glob(f"{folder.name}.new-*"):
        shutil.rmtree(half, ignore_errors=True)
