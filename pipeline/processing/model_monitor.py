"""Shows whether the active models still hold."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

import structlog

from pipeline.observe.metrics import Metrics

log = structlog.get_logger(__name__)

#: Seconds until the first check, and until the next look whether this worker is the one that checks.
_FIRST_S = 60.0
#: The partition whose worker checks for all.
_CHECKS_FOR_ALL = 0


class Checked(NamedTuple):
    """What checks have found, as `pipeline models check --json` says it; empty where nothing could be checked."""

    outcomes: Sequence[Mapping[str, Any]]
    why_not: str = ""


class ModelMonitor:
    """Checks every `interval_s` seconds, beside the work, in one worker; the others show nothing."""

    def __init__(
        self,
        *,
        check: Callable[[], Awaitable[Checked]],
        assigned: Mapping[int, Any],
        metrics: Metrics,
        interval_s: float,
        first_s: float = _FIRST_S,
    ) -> None:
        self._check, self._assigned, self._metrics = check, assigned, metrics
        self._interval_s, self._first_s = interval_s, min(first_s, interval_s)

    async def run(self) -> None:
        """Check until cancelled."""
        wait = self._first_s
        while True:
            await asyncio.sleep(wait)
            wait = await self.look()

    async def look(self) -> float:
        """Check, if this worker is the one that does; return for how many seconds to wait until the next look."""
        if _CHECKS_FOR_ALL not in self._assigned:
            self._metrics.models.show(())
            return self._first_s
        outcomes, why_not = await self._check()
        if not outcomes:
            log.info("models were not checked", why=why_not)
        for each in outcomes:
            about = {"model": each["model"], "model_version": each["version"]}
            if "why_not" in each:
                log.info("a model was not checked", **about, why=each["why_not"])
            elif each["findings"]:
                log.warning("a model does not hold", **about, findings=each["findings"])
        self._metrics.models.show(outcomes)
        return self._interval_s
