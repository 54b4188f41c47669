"""The servers' log files: appended to, and rotated at a start when they are large."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

ROTATE_BYTES = 10_000_000
KEPT = 3
TAIL_BYTES = 64_000


def opened(log: Path, name: str) -> BinaryIO:
    """Return the log, rotated if need be, open for appending, after a line that announces a start.

    Only its owner can read it.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    rotate(log)
    log.touch(mode=0o600)
    log.chmod(0o600)
    file = log.open("ab", buffering=0)
    file.write(f"==== {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC: starting {name}\n".encode())
    return file


def rotate(log: Path, *, bytes_: int = ROTATE_BYTES, kept: int = KEPT) -> None:
    """Rename a log of more than `bytes_` to `.1`, its predecessors to `.2` … `.<kept>`; delete the oldest."""
    if not log.exists() or log.stat().st_size <= bytes_:
        return
    for number in range(kept, 0, -1):
        older = log.with_name(f"{log.name}.{number - 1}") if number > 1 else log
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number}"))


def tail(log: Path, lines: int = 20) -> str:
    """Return the last lines since the last start, indented, without Java's stack frames; for an error message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return "  (no log)"
    since = text.rpartition("==== ")[2].partition("\n")[2] if "==== " in text else text
    telling = [line for line in since.splitlines() if line.strip() and not line.startswith("\tat ")]
    return "\n".join(f"  {line}" for line in telling[-lines:]) or "  (empty)"
