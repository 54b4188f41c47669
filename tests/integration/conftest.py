"""The pipeline on real servers: emptied before each test that asks for `pipe`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Pipe, empty_pipe, registry_of
from sqlalchemy import Engine

from pipeline.connections.database import sync_engine
from pipeline.ledger.migrate import migrate
from pipeline.scores.registry import topic_schemas


@pytest.fixture(scope="session")
def initialised(stack_env: dict[str, str]) -> Iterator[Engine]:
    """Schemas registered and the database migrated."""
    registry = registry_of(stack_env)
    for topic, schema in topic_schemas().items():
        registry.register(topic, schema)
    engine = sync_engine(stack_env["DATABASE_URL"])
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def pipe(stack_env: dict[str, str], initialised: Engine, tmp_path: Path) -> Iterator[Pipe]:
    """Empty topics and tables; workers that a test leaves running are killed afterwards."""
    with empty_pipe(stack_env, initialised, tmp_path) as given:
        yield given
