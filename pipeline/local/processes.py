"""Finds, starts and ends server processes.

A process is known by a mark in its command line (its own data folder), never by its number alone: after a reboot,
the number may belong to anything.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import psutil  # type: ignore[import-untyped]

POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How a server is started; `user` (a number) when it can't be the caller's own."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(repr=False)
    cwd: Path
    user: int | None = None
    group: int | None = None


def find(mark: str, remembered: int | None) -> psutil.Process | None:
    """Return the process with `mark` among its arguments: the remembered one, or else whichever has it."""
    if remembered is not None and (process := _marked(remembered, mark)) is not None:
        return process
    marked = {p.pid: p for p in _all() if _has(p, mark)}
    for process in marked.values():
        # a child that has just been forked off has its parent's arguments
        if _parent(process) not in marked:
            return process
    return None


def working_in(folder: Path) -> list[psutil.Process]:
    """Return the processes whose working folder this is; those of other users only for root."""
    running = []
    for process in _all():
        try:
            if process.cwd() == str(folder):
                running.append(process)
        except psutil.Error:
            continue
    return running


def spawn(launch: Launch, log: BinaryIO) -> psutil.Popen:
    """Start a server in its own session, so that it outlives this process and its terminal."""
    return psutil.Popen(
        list(launch.argv),
        env=dict(launch.env),
        cwd=launch.cwd,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        **as_user(launch.user, launch.group),
    )


def as_user(user: int | None, group: int | None) -> dict[str, object]:
    """Return arguments for `subprocess` that run a program as another user, or as the caller."""
    return {} if user is None else {"user": user, "group": group, "extra_groups": []}


def alive(process: psutil.Process) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def end(process: psutil.Process, how: signal.Signals, seconds: float) -> bool:
    """Signal a process and wait for its end; when it takes longer than `seconds`, kill it and its children.

    Returns whether it ended by itself.
    """
    try:
        children = process.children(recursive=True)
        process.send_signal(how)
    except psutil.NoSuchProcess:
        return True
    clean = wait_until(lambda: not alive(process), seconds)
    if not clean:
        kill([process, *children])
    if not wait_until(lambda: not any(map(alive, children)), 5.0):
        kill(children)
    return clean


def kill(processes: Sequence[psutil.Process]) -> None:
    """Send SIGKILL, and wait until the processes are gone."""
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    wait_until(lambda: not any(map(alive, processes)), 5.0)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll a condition; return whether it became true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _all() -> Iterator[psutil.Process]:
    # psutil keeps what it has seen: of a number that was given again it would know the process that is gone.
    psutil.process_iter.cache_clear()
    return psutil.process_iter()  # type: ignore[no-any-return]


def _marked(pid: int, mark: str) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None
    return process if _has(process, mark) else None


def _has(process: psutil.Process, mark: str) -> bool:
    try:
        return mark in process.cmdline() and alive(process)
    except psutil.Error:
        return False


def _parent(process: psutil.Process) -> int | None:
    try:
        return int(process.ppid())
    except psutil.NoSuchProcess:
        return None
