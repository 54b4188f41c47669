"""`pipeline init`: topics, schemas and tables."""

from __future__ import annotations

import click
from sqlalchemy.exc import DBAPIError

from pipeline import settings as environment
from pipeline.connections.database import sync_engine, unavailable
from pipeline.contract.decode import RefusedSchema, read_writer
from pipeline.contract.registry import Registry
from pipeline.errors import InvalidInput
from pipeline.ledger.migrate import migrate
from pipeline.publishing.create_topics import create_topics
from pipeline.scores.registry import topic_schemas
from pipeline.topics import TOUCHPOINTS, subject


def broken_versions(registry: Registry) -> list[str]:
    """Return a line for each registered version of the touchpoint's schema that breaks the contract."""
    return [
        f"Version {version.number} (schema id {version.schema_id}) of {subject(TOUCHPOINTS)} breaks the contract: "
        f"{writer.why}. Its records are refused; docs/contract.md says what to do (A version that breaks the contract)."
        for version in registry.versions(TOUCHPOINTS)
        if isinstance(writer := read_writer(version.text), RefusedSchema)
    ]


@click.command()
@click.option(
    "--partitions",
    type=click.IntRange(1, 1000),
    default=12,
    show_default=True,
    help="Number of partitions of new topics.",
)
@click.option(
    "--replication",
    type=click.IntRange(1, 9),
    default=1,
    show_default=True,
    help="Replication factor of new topics; with 3 or more, min.insync.replicas is 2.",
)
def init(partitions: int, replication: int) -> None:
    """Create topics, register schemas and migrate the database.

    Run it again after each upgrade; existing topics and data stay as they are. A schema that is not compatible with the
    registered versions is refused.
    """
    settings = environment.load()
    created = create_topics(settings.kafka, partitions, replication)
    click.echo(f"topics    {', '.join(created) if created else 'all there'}")
    registry = Registry(settings.registry)
    broken = broken_versions(registry)
    for topic, schema in topic_schemas().items():
        try:
            click.echo(f"schema    {topic}: id {registry.register(topic, schema)}")
        except InvalidInput as error:
            raise InvalidInput(" ".join([str(error), *broken])) from None
    for line in broken:
        click.echo(f"Warning: {line}", err=True)
    engine = sync_engine(settings.database_url)
    try:
        before, after = migrate(engine)
    except DBAPIError as error:
        raise unavailable(settings.database_url, error) from None
    finally:
        engine.dispose()
    click.echo(f"database  revision {after}" + ("" if before == after else f" (was {before or 'empty'})"))
