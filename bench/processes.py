"""What processes take: processor time and memory, as Linux counts them."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil


def cpu_s(process: psutil.Process) -> float:
    """User and system time of one process, all its threads, in seconds; children not."""
    return sum(process.cpu_times()[:2])


def family_cpu_s(process: psutil.Process) -> float:
    """Return the same with its children: those that run, and those that have ended and were waited for."""
    while True:
        before = process.cpu_times()
        running = 0.0
        for child in process.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                running += cpu_s(child)
        if process.cpu_times()[2:4] == before[2:4]:  # else a child has ended meanwhile, and may count twice or never
            return sum(before[:4]) + running


def peak_rss(pid: int) -> int:
    """Return the most memory that a process had resident so far, or since `forget_peak`, in bytes; 0 once it has ended.

    Not from `wait4`, which starts with what this process has, since it was forked off it.
    """
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def forget_peak(pid: int) -> None:
    """Let `peak_rss` of a process count from now, as Linux does it for who may write to its `clear_refs`."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


@dataclass
class Spent:
    """Seconds of a stretch of time, and processor seconds in it."""

    seconds: float = 0.0
    cpu_s: float = 0.0


@contextmanager
def ended_children() -> Iterator[Spent]:
    """What the processes take that are started, end, and are waited for in the `with` block: from start to exit."""
    spent = Spent()
    began, before = time.monotonic(), _of_children_s()
    yield spent
    spent.seconds, spent.cpu_s = time.monotonic() - began, _of_children_s() - before


def _of_children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
