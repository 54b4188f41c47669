"""The pipeline on real servers: emptied before each test that asks for `pipe`."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness import TABLES, Pipe, empty_topics
from sqlalchemy import Engine, text

from pipeline.contract.registry import Registry
from pipeline.ledger.database import sync_engine
from pipeline.ledger.migrate import migrate
from pipeline.topics import SCHEMA_FILES


@pytest.fixture(scope="session")
def initialised(stack_env: dict[str, str]) -> Iterator[Engine]:
    """Schemas registered and the database migrated."""
    registry = Registry(stack_env["SCHEMA_REGISTRY_URL"])
    for topic in SCHEMA_FILES:
        registry.register(topic)
    engine = sync_engine(stack_env["DATABASE_URL"])
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def pipe(stack_env: dict[str, str], initialised: Engine, tmp_path: Path) -> Iterator[Pipe]:
    """Empty topics and tables; workers that a test leaves running are killed afterwards."""
    with empty_pipe(stack_env, initialised, tmp_path) as given:
        yield given


@contextmanager
def empty_pipe(stack_env: dict[str, str], initialised: Engine, folder: Path) -> Iterator[Pipe]:
    """What the fixture `pipe` gives, for fixtures of another scope."""
    empty_topics(stack_env["KAFKA_BOOTSTRAP_SERVERS"])
    with initialised.begin() as connection:
        connection.execute(text(f"TRUNCATE {TABLES}"))
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("PIPELINE_", "KAFKA_", "DATABASE_", "SCHEMA_"))}
    settings = {
        "PIPELINE_GROUP": f"test-{os.getpid()}-{time.monotonic_ns()}",
        "PIPELINE_METRICS_ADDRESS": "127.0.0.1:0",
    }
    given = Pipe({**outside, **stack_env, **settings}, initialised, folder)
    yield given
    for worker in given.workers:
        if worker.poll() is None:
            worker.send_signal(signal.SIGCONT)
            worker.kill()
            worker.wait()
