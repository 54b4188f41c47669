"""The report says what was done, what held, and what did not."""

from __future__ import annotations

from pathlib import Path

from faults.gate import Outcome
from faults.plan import short_plan
from faults.report import report
from faults.supervisor import Exit


def outcome() -> Outcome:
    made = Outcome(seed=3, events=10, actions=short_plan(3), accepted=12_345, violations={"positions agree": []})
    made.injected["kill_forwarding"] = 1
    made.recoveries = {"kill_forwarding": [2.0], "broker_crash": [1.0, 30.0]}
    made.exits = [
        Exit(worker="w", code=-9, at=0.0, asked=frozenset({-9}), during="kill_forwarding", log=Path("w.log")),
        Exit(worker="w", code=1, at=0.0, asked=None, during="zombie", log=Path("w.log")),
    ]
    return made


def test_a_run_in_which_all_holds_says_so_with_its_figures() -> None:
    text = report(outcome())
    assert text.startswith("# Fault gate: all invariants hold")
    assert "| records accepted | 12,345 |" in text
    assert "| kill: forwarding | 1 | 1 |" in text
    assert "| kill: after commit | 1 | 0 |" in text
    assert "| all kills | 1 | 2.0 | 2.0 | 2.0 | met |" in text
    assert "| broker crash (from its answering again) | 2 | 15.5 | 30.0 | 30.0 | missed |" in text
    assert "| signal 9 | yes | 1 |" in text
    assert "| code 1 | NO | 1 |" in text


def test_a_violation_is_in_the_heading_and_told_with_its_first_examples() -> None:
    made = outcome()
    made.violations = {"positions agree": [f"partition {number}" for number in range(30)]}
    made.recoveries["kill_random"] = [float("inf")]
    text = report(made)
    assert text.startswith("# Fault gate: VIOLATED")
    assert "- VIOLATED: positions agree (30 times)" in text
    assert "  - partition 0" in text
    assert "partition 29" not in text
    assert "| kill: random | 1 | never | never | never | missed |" in text
