"""Prepares an empty stack, as `pipeline init` does."""

from __future__ import annotations

import re

from pipeline.connections.database import sync_engine
from pipeline.contract.registry import Registry
from pipeline.ledger.migrate import migrate
from pipeline.publishing.create_topics import create_topics
from pipeline.queries.connection import reading
from pipeline.queries.customers import numbered
from pipeline.scores.registry import topic_schemas
from pipeline.settings import Settings

PARTITIONS = 12
_SIMULATED = re.compile(r"customer:(\d{1,9})-\d{6}")


def prepare(settings: Settings, partitions: int = PARTITIONS) -> None:
    """Create topics, schemas and tables; existing ones stay."""
    create_topics(settings.kafka, partitions, 1)
    registry = Registry(settings.registry)
    for topic, schema in topic_schemas().items():
        registry.register(topic, schema)
    engine = sync_engine(settings.database_url)
    try:
        migrate(engine)
    finally:
        engine.dispose()


def unused_seed(settings: Settings) -> int:
    """Return a seed whose customers are not in the tables yet: one above all those that are."""
    with reading(settings.database_url) as connection:
        seeds = [int(match[1]) for key in numbered(connection) if (match := _SIMULATED.fullmatch(key))]
    return max(seeds, default=0) + 1
