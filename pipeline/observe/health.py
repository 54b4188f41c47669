"""A worker's health: alive, ready, and why not."""

from __future__ import annotations

from dataclasses import dataclass, field

#: A worker further behind than this, in seconds, is alive but not ready.
READY_LAG_S = 60.0
#: A worker whose event loop has not run for this long, in seconds, is no longer alive.
ALIVE_S = 60.0


@dataclass(kw_only=True)
class Health:
    """Written by the worker, read by its HTTP server. Times are seconds of the monotonic clock."""

    beat_at: float = 0.0
    assigned: bool = False
    lag_seconds: float = 0.0
    away: set[str] = field(default_factory=set)

    def alive(self, now: float) -> tuple[bool, str]:
        """Return whether the worker's event loop runs, and what is wrong if not."""
        silent = now - self.beat_at
        return (True, "alive") if silent < ALIVE_S else (False, f"the worker has not moved for {silent:.0f} s")

    def ready(self, now: float) -> tuple[bool, str]:
        """Return whether the worker has partitions, a small lag and servers that answer; and what is wrong if not."""
        alive, why = self.alive(now)
        if not alive:
            return alive, why
        if self.away:
            return False, f"waiting for {', '.join(sorted(self.away))}"
        if not self.assigned:
            return False, "no partitions assigned yet"
        if self.lag_seconds > READY_LAG_S:
            return False, f"{self.lag_seconds:.0f} s behind; the bound is {READY_LAG_S:.0f} s"
        return True, "ready"
