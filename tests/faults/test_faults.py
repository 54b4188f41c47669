"""The short version of `make faults`: some faults of each class, on the session's real servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.gate import run
from faults.plan import short_plan
from faults.report import report
from pipeline.local.stack import Stack

pytestmark = pytest.mark.long

SEED, EVENTS = 1, 6_000


@pytest.mark.timeout(1200)
def test_every_record_is_accounted_for_after_faults_under_load(stack: Stack, tmp_path: Path) -> None:
    outcome = run(stack, tmp_path, seed=SEED, events=EVENTS, actions_planned=short_plan(SEED))
    assert outcome.holds, report(outcome)
    assert outcome.accepted >= EVENTS
