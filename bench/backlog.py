"""Waiting until what is in the topic is in the tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from bench.rig import Meter, Rig
from pipeline.errors import PipelineError

_LOOK_EVERY_S = 0.1
#: Workers that handle nothing for so long are stuck.
_PATIENCE_S = 120.0


def work_off(own: Rig, meters: Sequence[Meter], events: int, sample: Callable[[], None] = lambda: None) -> None:
    """Wait until `events` records are accounted for; `sample` is called every second.

    Raises PipelineError when a worker ends, or nothing goes on.
    """
    done, moved_at, sampled_at = 0, time.monotonic(), 0.0
    while done < events:
        for meter in meters:
            meter.look()
        now, before = time.monotonic(), done
        done = sum(own.accounted().values())
        if done != before:
            moved_at = now
        if now - moved_at > _PATIENCE_S:
            raise PipelineError(f"Of {events:,} records {done:,} are handled, and none for {_PATIENCE_S:.0f} s.")
        if now - sampled_at >= 1:
            sampled_at = now
            sample()
        time.sleep(_LOOK_EVERY_S)
    for meter in meters:
        meter.look()
