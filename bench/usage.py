"""Processor time of the workers, the broker and the database."""

from __future__ import annotations

import time
from collections.abc import Sequence

import psutil

from bench.processes import cpu_s, family_cpu_s
from bench.rig import Meter, Rig

PARTS = ("worker", "broker", "database")


class Usage:
    """What each part has taken since `begin`, in seconds of one core; `worker` is all workers together."""

    def __init__(self, own: Rig, meters: Sequence[Meter]) -> None:
        broker, database = own.stack.kafka.process(), own.stack.postgres.process()
        assert broker is not None
        assert database is not None
        self._broker, self._database = broker, database
        self._workers = [psutil.Process(meter.pid) for meter in meters]
        self.begin()

    def begin(self) -> None:
        """Count from now."""
        self._before, self._began = self._taken(), time.monotonic()

    @property
    def seconds(self) -> float:
        """Return how long it is since `begin`."""
        return time.monotonic() - self._began

    def taken(self) -> dict[str, float]:
        """Part → seconds."""
        return {part: round(now - self._before[part], 3) for part, now in self._taken().items()}

    def _taken(self) -> dict[str, float]:
        taken = sum(map(cpu_s, self._workers)), cpu_s(self._broker), family_cpu_s(self._database)
        return dict(zip(PARTS, taken, strict=True))
