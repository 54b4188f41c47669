"""Fixtures that all tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from stacks import private_stack

if TYPE_CHECKING:
    from pipeline.local.stack import Stack

# A machine that is busy with other things makes no test fail.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long files first, so that at the end no process waits for another one's."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A running Kafka, schema registry and Postgres of this test session's own; a fault test may stop and start
    its servers, and leaves them running.
    """
    with private_stack("pipeline-tests-") as own:
        yield own


@pytest.fixture(scope="session")
def stack_env(stack: Stack) -> dict[str, str]:
    """KAFKA_BOOTSTRAP_SERVERS, SCHEMA_REGISTRY_URL and DATABASE_URL of the session's stack."""
    return stack.env()
