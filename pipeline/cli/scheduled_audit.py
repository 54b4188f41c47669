"""`pipeline audit --every`: audits at intervals, with metrics and a log."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from pipeline.errors import InvalidInput, PipelineError
from pipeline.observe import http, logs
from pipeline.observe.audit_metrics import AuditMetrics
from pipeline.observe.health import Health
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.audit.audit import Outcome

log = structlog.get_logger(__name__)

#: Seconds after which an audit that failed is tried again, if the next one is not due sooner.
_AGAIN_S = 300.0


def run(audit: Callable[[], Outcome], every_s: float, settings: Settings) -> None:
    """Audit now and each `every_s` seconds, until the process is ended; serve metrics meanwhile.

    An audit that fails since a server is away is tried again. Raises InvalidInput, after the first one, for what will
    not pass.
    """
    logs.configure()
    metrics = AuditMetrics(every_s)
    metrics.last_success.set(time.time())
    # Nothing here has to move to be alive: an audit takes as long as it takes.
    health = Health(beat_at=math.inf, assigned=True)
    port, stop = http.serve(settings.metrics_host, settings.metrics_port, metrics.registry, health)
    log.info("audits begin", every_s=every_s, metrics=f"{settings.metrics_host}:{port}")
    is_first = True
    try:
        while True:
            began = time.monotonic()
            is_done = _audit(audit, metrics, is_first)
            is_first = False
            pause_s = every_s if is_done else min(every_s, _AGAIN_S)
            time.sleep(max(0.0, pause_s - (time.monotonic() - began)))
    finally:
        stop()


def _audit(audit: Callable[[], Outcome], metrics: AuditMetrics, is_first: bool) -> bool:
    began = time.monotonic()
    try:
        outcome = audit()
    except PipelineError as error:
        if is_first and isinstance(error, InvalidInput):
            raise
        metrics.failures.inc()
        log.error("the audit failed", error=str(error))
        return False
    seconds = time.monotonic() - began
    metrics.differences.set(outcome.differences)
    metrics.records.set(outcome.records)
    metrics.duration.set(seconds)
    metrics.last_success.set(time.time())
    say = log.error if outcome.differences else log.info
    say(
        "audited",
        records=outcome.records,
        differences=outcome.differences,
        differing={table.table: table.differences for table in outcome.tables if table.differences},
        seconds=round(seconds, 1),
    )
    return True
