"""The package as the image has it, with the modules compiled in which a worker spends its time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bench import build

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
#: The folders with tests of compiled modules.
CORE = ("flow", "journey", "identity", "scores", "contract", "publishing")


@pytest.fixture(scope="module")
def package() -> Path:
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    return build.compiled()


def python(package: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        env={**os.environ, "PYTHONPATH": str(package)}, cwd=ROOT, capture_output=True, text=True, timeout=240,
    )  # fmt: skip


def test_the_compiled_core_passes_the_tests_of_its_source(package: Path) -> None:
    where = python(package, "-c", "import pipeline.flow.advance as module; print(module.__file__)").stdout
    assert where.startswith(str(package)) and where.strip().endswith(".so")
    folders = [f"tests/unit/{name}" for name in CORE]
    options = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    paths = " ".join([path for path in options["pythonpath"] if path != "."])  # there, the source would be found
    tested = python(package, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", f"pythonpath={paths}", *folders)
    assert tested.returncode == 0, tested.stdout[-4000:]


def test_a_compiled_worker_finds_the_true_sessions(package: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.compare", "--quick", "--json", "--own", "pipeline-compiled"],
        cwd=ROOT, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert json.loads(done.stdout)["jobs"]["pipeline-compiled"]["agrees"]
