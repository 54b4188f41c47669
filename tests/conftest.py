"""Fixtures that all tests share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pipeline.local.stack import Stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long files first, so that at the end no process waits for another one's."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A running Kafka, schema registry and Postgres of this test session's own; a fault test may stop and start
    its servers, and leaves them running.

    Pytest's own temporary folder is closed to other users; as root, Postgres's user has to pass through this one.
    """
    from pipeline.local.stack import Stack

    folder = Path(tempfile.mkdtemp(prefix="pipeline-tests-"))
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    own = Stack(folder)
    try:
        own.up()
        yield own
    finally:
        own.down(delete=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def stack_env(stack: Stack) -> dict[str, str]:
    """KAFKA_BOOTSTRAP_SERVERS, SCHEMA_REGISTRY_URL and DATABASE_URL of the session's stack."""
    return stack.env()
