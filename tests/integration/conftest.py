"""The pipeline on real servers: emptied before each test that asks for `pipe`."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from harness import Pipe, empty_pipe, registry_of
from sqlalchemy import Engine

from pipeline.connections.database import sync_engine
from pipeline.ledger.migrate import migrate
from pipeline.scores.registry import topic_schemas

#: Number of lines of each worker's log that a failure shows.
_SHOWN = 30


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what workers said last beside a failure."""
    report = yield
    pipe = getattr(item, "funcargs", {}).get("pipe")
    if report.failed and isinstance(pipe, Pipe):
        for number in range(len(pipe.workers)):
            report.sections.append((f"log of worker {number}", "\n".join(pipe.log(number).splitlines()[-_SHOWN:])))
    return report


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
