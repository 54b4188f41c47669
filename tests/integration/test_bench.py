"""The measurements run, and what they find is right; how fast it was is not asked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]


def test_a_quick_comparison_finds_the_true_sessions(tmp_path: Path) -> None:
    lines = tmp_path / "runs.jsonl"
    done = bench("--quick", "--json", "--runs", str(lines), folder=tmp_path)
    assert done.returncode == 0, done.stderr[-4000:]

    found = json.loads(done.stdout)
    runs = [json.loads(line) for line in lines.read_text().splitlines()]
    assert found["truth"]["events_in_sessions"] == found["events"] == 20_000
    assert found["truth"]["sessions"] > 1_000
    assert [run["job"] for run in runs] == ["pipeline", "pipeline-sessions"]
    for run in runs:
        assert {name: run[name] for name in found["truth"]} == found["truth"]
        assert run["agrees"]
        assert found["jobs"][run["job"]]["sessions"] == [found["truth"]["sessions"]]


def test_bad_usage_and_help_are_those_of_the_measurement(tmp_path: Path) -> None:
    assert "--rounds" in bench("--help", folder=tmp_path).stdout
    refused = bench("--peers", "spark", folder=tmp_path)
    assert refused.returncode == 2
    assert "there are flink-eos" in refused.stderr


def test_an_installed_package_says_that_a_checkout_is_needed(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    refused = bench("--quick", folder=tmp_path, PYTHONPATH=str(tmp_path))
    assert refused.returncode == 2
    assert "source checkout" in refused.stderr


def bench(*arguments: str, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", "bench", *arguments],
        env={**os.environ, **settings}, cwd=folder, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
