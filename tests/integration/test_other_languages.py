"""The consumers in docs/examples, in the languages whose tools are here, give the journeys of the table."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from harness import Pipe

from pipeline.simulate.population import touchpoints

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
END_MS = 1_790_000_000_000


def run(
    arguments: list[str], folder: Path, env: Mapping[str, str], *, install: bool = False
) -> subprocess.CompletedProcess[str]:
    """A command; the test is skipped, with the reason, if it can't install what it needs."""
    tool = shutil.which(arguments[0])
    if tool is None:
        pytest.skip(f"{arguments[0]} is not installed")
    done = subprocess.run(
        [tool, *arguments[1:]], cwd=folder, env=os.environ | dict(env), capture_output=True, text=True, timeout=280
    )
    if install and done.returncode:
        pytest.skip(f"{' '.join(arguments)}: {(done.stderr + done.stdout).strip()[-300:]}")
    return done


def check(pipe: Pipe, done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stderr[-3000:]
    printed = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    consumed = {each["journey_id"]: (each["revision"], each["customer"], each["touchpoints"]) for each in printed}
    rows = pipe.sql("SELECT journey_id::text, revision, customer, touchpoints FROM journey")
    assert consumed == {row.journey_id: (row.revision, row.customer, row.touchpoints) for row in rows}


@pytest.fixture
def filled(pipe: Pipe) -> Pipe:
    pipe.publish(touchpoints(events=2_000, customers=60, seed=4, days=20.0, end_ms=END_MS))
    pipe.work()
    return pipe


def test_the_consumer_for_node(filled: Pipe, tmp_path: Path) -> None:
    folder = shutil.copytree(EXAMPLES / "node", tmp_path / "node")
    run(["npm", "install", "--silent", "--no-audit", "--no-fund"], folder, {}, install=True)
    check(filled, run(["node", "journeys.mjs"], folder, filled.env))


def test_the_consumer_in_go(filled: Pipe, tmp_path: Path) -> None:
    folder = shutil.copytree(EXAMPLES / "go", tmp_path / "go")
    run(["go", "mod", "tidy"], folder, {}, install=True)
    check(filled, run(["go", "run", "."], folder, filled.env))


def test_the_consumer_in_java(filled: Pipe, tmp_path: Path) -> None:
    folder = shutil.copytree(EXAMPLES / "java", tmp_path / "java")
    compile_ = [
        "mvn",
        "--batch-mode",
        "--quiet",
        "compile",
        "dependency:build-classpath",
        "-Dmdep.outputFile=classpath",
    ]
    run(compile_, folder, {}, install=True)
    classpath = f"target/classes:{(folder / 'classpath').read_text().strip()}"
    check(filled, run(["java", "-cp", classpath, "Journeys"], folder, filled.env))
