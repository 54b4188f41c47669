"""`pipeline topic republish`: makes journeys.v1 say what the tables say, after a restore or a loss."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from confluent_kafka import Producer
from sqlalchemy import Connection, text

from pipeline import settings
from pipeline.cli import formatting
from pipeline.cli.progress import progress
from pipeline.cli.running_workers import refuse_running_workers
from pipeline.client.topic_records import TopicRecords
from pipeline.connections.kafka import ClientErrors, KafkaConnection
from pipeline.contract.encode import HEADER_BYTES, MAGIC
from pipeline.contract.registry import Registry
from pipeline.contract.schema import parse_safely
from pipeline.errors import PipelineError
from pipeline.ledger.republish import all_journeys, put_into_outbox
from pipeline.publishing.sent_revisions import Sent, SentRevisions
from pipeline.queries.connection import writing
from pipeline.scores.registry import published
from pipeline.topics import JOURNEYS, TOUCHPOINTS

#: Records read, and journeys put into the outbox, at once.
_CHUNK = 5_000


@dataclass
class Changes:
    """Names what has to change, and counts the journeys that are right as they are."""

    revisions: list[tuple[str, int]] = field(default_factory=list)
    deleted: list[tuple[int, bytes]] = field(default_factory=list)
    right: int = 0


@click.command()
@click.option("--all", "everything", is_flag=True, help="Publish all journeys, also those of which the topic is right.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def republish(everything: bool, dry_run: bool) -> None:
    """Publish anew the journeys of which journeys.v1 does not say what the tables say.

    After Postgres was restored to an earlier moment, the topic holds revisions that the tables no longer have, so that
    consumers of the highest revision keep what is not true any more. This reads the topic, gives each such journey a
    revision above all that were sent, and puts it into the outbox, from which the workers publish it as they start.
    Journeys that the tables do not have are deleted from the topic, by a record without a value. After the topic was
    lost or made anew, it publishes everything.

    All workers must be stopped, after they have caught up.
    """
    config = settings.load()
    refuse_running_workers(config.kafka, config.group, "would not know of the new revisions")
    with TemporaryDirectory(prefix="pipeline-republish-") as folder, writing(config.database_url) as connection:
        sent = SentRevisions(Path(folder))
        try:
            records = _read(config.kafka, Registry(config.registry), sent)
            changes = _compare(connection, sent, everything)
        finally:
            sent.close()
        click.echo(f"{records:,} records of {JOURNEYS} read")
        click.echo(f"right: {formatting.plural(changes.right, 'journey')}")
        if not dry_run:
            for some in _chunks(changes.revisions):
                put_into_outbox(connection, TOUCHPOINTS, some, [score.table.name for score in published()])
            connection.commit()
            _delete(config.kafka, changes.deleted)
        click.echo(f"to publish anew: {formatting.plural(len(changes.revisions), 'journey')}")
        click.echo(f"deleted: {formatting.plural(len(changes.deleted), 'journey')}, which the tables do not have")
        if dry_run:
            click.echo("Nothing was done.")
        elif changes.revisions:
            click.echo("They are in the outbox. Start the workers, which publish it.")


def new_revision(revision: int, digest: bytes, sent: Sent | None, everything: bool) -> int | None:
    """Return the revision with which a journey is to be published; None if the topic is right.

    `revision` and `digest` are the ledger's. Consumers keep the highest revision, and of several of that number any.
    """
    if sent is None:
        return revision
    if sent.revision > revision or (sent.revision == revision and not (sent.is_same and sent.digest == digest)):
        return sent.revision + 1
    if sent.revision < revision or everything:
        return revision
    return None


def _read(kafka: KafkaConnection, registry: Registry, sent: SentRevisions) -> int:
    """Read the whole topic; return the number of its records."""
    records = TopicRecords(kafka, JOURNEYS)
    writers: dict[int, Any] = {}
    number = 0
    try:
        total = sum(end - low for low, end in records.bounds().values())
        with progress(f"Reading {JOURNEYS}", total) as done:
            messages = records.scan()
            while chunk := list(islice(messages, _CHUNK)):
                kept: list[tuple[int, bytes, bytes, Any]] = []
                for message in chunk:
                    key, value = message.key() or b"", message.value()
                    if value is None:
                        sent.note(kept)
                        kept = []
                        sent.forget([key])
                        continue
                    if not value.startswith(MAGIC) or len(value) <= HEADER_BYTES:
                        raise PipelineError(f"{JOURNEYS}/{message.partition()} has no journey at {message.offset()}.")
                    schema_id = int.from_bytes(value[len(MAGIC) : HEADER_BYTES], "big")
                    if schema_id not in writers:
                        writers[schema_id] = parse_safely(registry.writer_schema(schema_id, JOURNEYS))
                    kept.append((message.partition() or 0, key, value, writers[schema_id]))
                sent.note(kept)
                number += len(chunk)
                done(len(chunk))
    finally:
        records.close()
    return number


def _compare(connection: Connection, sent: SentRevisions, everything: bool) -> Changes:
    changes = Changes()
    total = int(connection.execute(text("SELECT count(*) FROM journey")).scalar_one())
    with progress("Comparing with the tables", total) as done:
        for rows in all_journeys(connection):
            for row, known, digest in sent.compare(rows):
                revision = new_revision(row.revision, digest, known, everything)
                if revision is None:
                    changes.right += 1
                else:
                    changes.revisions.append((row.journey_id, revision))
            done(len(rows))
    changes.deleted = list(sent.left_over())
    return changes


def _delete(kafka: KafkaConnection, journeys: Iterable[tuple[int, bytes]]) -> None:
    """Write records without a value; Unavailable when they are not taken."""
    errors = ClientErrors()
    producer = Producer({**kafka.client_settings(errors), "enable.idempotence": True, "delivery.timeout.ms": 30_000})
    failed: list[str] = []
    for partition, key in journeys:
        while True:
            try:
                producer.produce(
                    JOURNEYS,
                    None,
                    key,
                    partition,
                    on_delivery=lambda error, _message: failed.append(error.str()) if error else None,
                )
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    if producer.flush(40) or failed:
        raise kafka.unreachable(failed[0] if failed else "records were not delivered in time", producer, errors)


def _chunks(revisions: Iterable[tuple[str, int]]) -> Iterable[list[tuple[str, int]]]:
    rest = iter(revisions)
    while some := list(islice(rest, _CHUNK)):
        yield some
