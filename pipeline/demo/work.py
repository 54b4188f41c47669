"""One worker as a process of its own, until it has processed everything."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.queries.connection import reading
from pipeline.queries.totals import count_handled
from pipeline.settings import Settings

_IDLE_S = 2
_LOOK_EVERY_S = 0.5
_STOP_S = 30.0
#: Maximum time for other workers of the group, if there are any, to process their partitions.
_PATIENCE_S = 120.0


def work(settings: Settings, servers: Mapping[str, str], log: Path, until: int, show: Callable[[int], None]) -> None:
    """Run a worker until the ledger has processed `until` records altogether; `show` gets the number processed so far.

    `servers` are the settings that name the servers. Raises PipelineError, which names the log, when the worker fails.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "worker", "--until-idle", str(_IDLE_S), "--log-level", "warning"],
            env={**os.environ, **servers},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            _watch(settings, process, until, show)
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(_STOP_S)
                except subprocess.TimeoutExpired:
                    process.kill()
    if process.returncode:
        raise PipelineError(f"The worker ended with exit code {process.returncode}; its log is {log}.")


def _watch(settings: Settings, process: subprocess.Popen[bytes], until: int, show: Callable[[int], None]) -> None:
    give_up_at: float | None = None
    with reading(settings.database_url) as connection:
        while True:
            ended = process.poll() is not None
            done = count_handled(connection)
            connection.rollback()  # the next query sees a new snapshot
            show(done)
            if ended and (process.returncode or done >= until):
                return
            if ended:
                give_up_at = give_up_at or time.monotonic() + _PATIENCE_S
                if time.monotonic() > give_up_at:
                    raise PipelineError(f"Of {until:,} records only {done:,} were processed; is another worker stuck?")
            time.sleep(_LOOK_EVERY_S)
