"""Each command starts by itself, in a process that has imported nothing before."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipeline.cli import COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_starts_in_a_new_process(command: str) -> None:
    done = subprocess.run([sys.executable, "-m", "pipeline", command, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: python -m ")
