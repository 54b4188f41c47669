"""The short version of `make faults`: some faults of each class, on the session's real servers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from faults.gate import run
from faults.plan import short_plan
from faults.report import report
from pipeline.local.stack import Stack

pytestmark = pytest.mark.long

SEED, EVENTS = 1, 6_000
_ALARMING = re.compile(r"WARN|ERROR|FATAL|Couldn't find leader|warning|error")
_LINES, _WIDTH = 12, 400


@pytest.mark.timeout(1200)
def test_every_record_is_accounted_for_after_faults_under_load(stack: Stack, tmp_path: Path) -> None:
    outcome = run(stack, tmp_path, seed=SEED, events=EVENTS, actions_planned=short_plan(SEED))
    assert outcome.holds, (
        f"{report(outcome)}\n\n{_last_words(stack.server('kafka').log, *sorted(tmp_path.glob('*.log')))}"
    )
    assert outcome.accepted >= EVENTS


def _last_words(*logs: Path) -> str:
    """What is told last as a warning or worse, log by log."""
    told = []
    for log in logs:
        lines = [line for line in log.read_text(errors="replace").splitlines() if _ALARMING.search(line)]
        told += [f"## {log.name}", *[line[:_WIDTH] for line in lines[-_LINES:]]]
    return "\n".join(told)
