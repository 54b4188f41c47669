"""`make faults`: settings from the environment (FAULTS_SEED, FAULTS_ACTIONS, FAULTS_EVENTS, FAULTS_SECURE), progress
on standard error, the report on standard output.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from faults import plan
from faults.gate import run
from faults.report import report
from pipeline.local.stack import Stack

DEFAULT_EVENTS = 100_000


def main() -> int:
    """Exit code 0 when all invariants hold, 1 when one is violated, 2 for a setting that can't be read."""
    if sys.argv[1:]:
        print(__doc__, "It takes no arguments; docs/faults.md says what the settings are.", file=sys.stderr)
        return 0 if sys.argv[1:] == ["--help"] else 2
    try:
        seed, actions, events = (
            int(os.environ.get(name) or default)
            for name, default in (
                ("FAULTS_SEED", 1), ("FAULTS_ACTIONS", plan.DEFAULT_ACTIONS), ("FAULTS_EVENTS", DEFAULT_EVENTS),
            )
        )  # fmt: skip
        if actions < 1 or events < 1:
            raise ValueError("at least 1 action and 1 event")
    except ValueError as error:
        print(f"FAULTS_SEED, FAULTS_ACTIONS and FAULTS_EVENTS take whole numbers: {error}", file=sys.stderr)
        return 2
    # Postgres's user, when this is root, has to pass through.
    folder = Path(tempfile.mkdtemp(prefix="pipeline-faults-"))
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    logs = folder / "logs"
    logs.mkdir()
    stack = Stack(folder)
    secure = bool(os.environ.get("FAULTS_SECURE"))
    holds = False
    try:
        stack.up(secure=secure)
        chosen = plan.plan(seed, actions)
        print(f"{len(chosen)} actions, at least {plan.kills(chosen)} kills; logs are in {logs}", file=sys.stderr)
        outcome = run(stack, logs, seed=seed, events=events, actions_planned=chosen, say=_say)
        print(report(outcome))
        holds = outcome.holds
    finally:
        stack.down(delete=True)
        if holds:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if holds else 1


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
