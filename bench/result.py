"""What is known of one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from bench.sessions import Found


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A run as its runner saw it.

    `seconds` and `cpu_s_from_first` count from the first record, `cpu_s` from the start of the process to its exit;
    `peak_rss` is in bytes. `found` counts the sessions, and is to be asked when nothing is measured any more.
    """

    version: str
    events: int
    seconds: float
    cpu_s: float
    cpu_s_from_first: float
    peak_rss: int
    found: Callable[[], Found | None]


class Run(NamedTuple):
    """A run of a job, with what the servers took meanwhile, in processor seconds. `found` is None for a job that
    finds no sessions."""

    job: str
    round: int
    version: str
    events: int
    seconds: float
    cpu_s: float
    cpu_s_from_first: float
    database_cpu_s: float
    broker_cpu_s: float
    peak_rss: int
    found: Found | None
    agrees: bool

    def line(self) -> dict[str, Any]:
        """As JSON has it."""
        found = self.found._asdict() if self.found is not None else {}
        rounded = {name: round(value, 3) for name, value in self._asdict().items() if isinstance(value, float)}
        line = {**self._asdict(), **rounded, **found}
        del line["found"]
        return line
