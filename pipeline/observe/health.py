"""A worker's health: alive, ready, and why not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

#: A worker further behind than this, in seconds, is alive but not ready.
READY_LAG_S = 60.0
#: A worker whose event loop has not run for this long, in seconds, is no longer alive.
ALIVE_S = 60.0
#: The servers that a worker waits for, and the topics of the results, which Kafka may refuse to write while it answers
#: everything else.
DEPENDENCIES = ("broker", "database", "registry", "publishing")


class Outage(NamedTuple):
    """Since when something does not answer (seconds of the monotonic clock), and what it said last."""

    since: float
    why: str


@dataclass(kw_only=True)
class Health:
    """Written by the worker's parts, read by its HTTP server. Times are seconds of the monotonic clock."""

    beat_at: float = 0.0
    assigned: bool = False
    lag_seconds: float = 0.0
    away: dict[str, Outage] = field(default_factory=dict)

    def failed(self, dependency: str, why: str, now: float) -> None:
        """Note that a dependency did not answer, or refused; the outage lasts until `answered`."""
        known = self.away.get(dependency)
        self.away[dependency] = Outage(now if known is None else known.since, why)

    def answered(self, dependency: str) -> None:
        """Note that a dependency does what it should."""
        self.away.pop(dependency, None)

    def away_seconds(self, dependency: str, now: float) -> float:
        """Return for how long a dependency has been away; 0 if it is not."""
        outage = self.away.get(dependency)
        return 0.0 if outage is None else max(0.0, now - outage.since)

    def silent_seconds(self, now: float) -> float:
        """Return for how long the worker's event loop has not run."""
        return max(0.0, now - self.beat_at)

    def alive(self, now: float) -> tuple[bool, str]:
        """Return whether the worker's event loop runs, and what is wrong if not."""
        silent = self.silent_seconds(now)
        return (True, "alive") if silent < ALIVE_S else (False, f"the worker has not moved for {silent:.0f} s")

    def ready(self, now: float) -> tuple[bool, str]:
        """Return whether the worker has partitions, a small lag and servers that answer; and what is wrong if not."""
        alive, why = self.alive(now)
        if not alive:
            return alive, why
        if self.away:
            return False, "; ".join(
                f"waiting for {dependency} for {now - outage.since:.0f} s: {outage.why}"
                for dependency, outage in sorted(self.away.items())
            )
        if not self.assigned:
            return False, "no partitions assigned yet"
        if self.lag_seconds > READY_LAG_S:
            return False, f"{self.lag_seconds:.0f} s behind; the bound is {READY_LAG_S:.0f} s"
        return True, "ready"
