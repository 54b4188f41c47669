"""Putting a worker together from its parts: the only place that knows them all."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from dataclasses import dataclass, field, replace
from tempfile import TemporaryDirectory

import psycopg
import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from sqlalchemy.exc import DBAPIError

from pipeline import catalogue
from pipeline.contract.registry import Registry
from pipeline.errors import InvalidInput, Unavailable
from pipeline.failpoint import failpoint
from pipeline.flow.admit import Door
from pipeline.flow.advance import Models
from pipeline.journey import policy
from pipeline.ledger.database import async_engine, is_passing, sync_engine, unavailable
from pipeline.ledger.models import active_models
from pipeline.ledger.revision import require_current
from pipeline.ledger.session import Session
from pipeline.observe import http
from pipeline.observe.health import Health
from pipeline.observe.metrics import Metrics
from pipeline.retry import Retry
from pipeline.settings import Settings, host_name
from pipeline.stream import app
from pipeline.stream.collection import Collecting
from pipeline.stream.commits import Commits
from pipeline.stream.instance import Instance
from pipeline.stream.limits import Limits
from pipeline.stream.publication import Publication
from pipeline.stream.records import Records
from pipeline.stream.run import Run
from pipeline.stream.silence import Silence
from pipeline.stream.transactions import Transactions
from pipeline.stream.worker import ABREAST, Worker
from pipeline.stream.writers import WriterCache
from pipeline.topics import CHURN_RISK, JOURNEYS, SATISFACTION, TOUCHPOINTS

log = structlog.get_logger()

#: A dead letter carries its record, and headers beside it.
_MAX_MESSAGE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `pipeline worker` can be told."""

    until_idle_s: float | None = None
    most_records: int = app.MOST_RECORDS
    limits: Limits = field(default_factory=Limits)
    #: Seconds between two looks for customers whom silence has moved into another band.
    sweep_s: float = 60.0
    scores: bool = True
    give_up_s: float = 60.0
    statement_timeout_s: float = 30.0


async def run_worker(settings: Settings, options: Options) -> None:
    """Run one worker until it is told to stop or is done.

    Raises InvalidInput for settings that can't work, Unavailable for a server that stays away.
    """
    reached = failpoint(settings.failpoint)
    metrics, health = Metrics(), Health(beat_at=time.monotonic())
    journey_policy = policy.read(settings.policy_file)
    port, stop_http = http.serve(settings.metrics_host, settings.metrics_port, metrics.registry, health)
    log.info("metrics", address=f"{settings.metrics_host}:{port}")

    def failed(server: str) -> None:
        health.away.add(server)
        metrics.retries.labels(server).inc()

    retry = Retry(
        give_up_s=options.give_up_s,
        passing=lambda error: is_passing(error) or isinstance(error, Unavailable),
        on_failure=failed,
        on_success=health.away.discard,
    )
    engine = None
    folder = TemporaryDirectory(prefix="pipeline-worker-")
    beating = asyncio.create_task(_beat(health, metrics))
    try:
        registry = Registry(settings.registry_url)
        models = await retry.run("database", lambda: asyncio.to_thread(_read_models, settings))
        ids = await retry.run("registry", lambda: asyncio.to_thread(_schema_ids, registry))
        partitions = await retry.run("broker", lambda: asyncio.to_thread(_partitions, settings))
        engine = async_engine(settings.database_url, options.statement_timeout_s)
        slot = None if settings.instance else Instance(settings.group, host_name())
        instance = settings.instance or (slot.name if slot else "")
        publication = Publication(
            Transactions(settings.bootstrap_servers, settings.group, _MAX_MESSAGE_BYTES, reached), instance
        )
        early = asyncio.create_task(_begin(publication))  # it takes as long as joining the group
        run: Run
        limits = _limits(options)
        commits = Commits(
            session=Session(engine, ABREAST),
            models=models if options.scores else None,
            grace_ms=journey_policy.grace_ms,
            records=Records(ids),
            publication=publication,
            metrics=metrics,
            health=health,
            retry=retry,
            most_customers=limits.customers,
            reached=reached,
            collect=Collecting().collect,
        )
        worker = Worker(
            commits=commits,
            silence=Silence(Session(engine), metrics, options.sweep_s if options.scores else math.inf),
            door=Door(catalogue.load(), journey_policy, partitions),
            writers=WriterCache(registry, TOUCHPOINTS, retry),
            models=models if options.scores else None,
            grace_ms=journey_policy.grace_ms,
            metrics=metrics,
            retry=retry,
            owner=instance,
            idle_s=limits.idle_s,
            rewind=lambda partition, offset: run.rewind(partition, offset),
            earliest=lambda partition: run.earliest(partition),
            reached=reached,
        )
        run = Run(worker, metrics, health, retry, options.until_idle_s)
        run.app = app.build(
            group=settings.group,
            instance=instance,
            bootstrap_servers=settings.bootstrap_servers,
            folder=folder.name,
            take=run.take,
            handle=run.handle,
            reached=reached,
            partitions=partitions,
            most_records=options.most_records,
        )
        log.info("worker starts", instance=instance, group=settings.group, partitions=partitions)
        await run.until_stopped()
        await early
        log.info("worker stopped")
    except (DBAPIError, psycopg.Error) as error:
        raise unavailable(settings.database_url, error) from None
    finally:
        beating.cancel()
        if engine is not None:
            await engine.dispose()
        stop_http()
        folder.cleanup()


async def _begin(publication: Publication) -> None:
    """Begin publishing; if the broker does not answer, taking partitions tries it again."""
    with contextlib.suppress(Unavailable):
        await publication.ready()


async def _beat(health: Health, metrics: Metrics) -> None:
    """Show that the event loop turns, and whether the worker is ready."""
    while True:
        health.beat_at = time.monotonic()
        metrics.ready.set(health.ready(health.beat_at)[0])
        await asyncio.sleep(1)


def _limits(options: Options) -> Limits:
    """Partitions that go idle must have closed their journeys before the worker is done."""
    if options.until_idle_s is None:
        return options.limits
    return replace(options.limits, idle_s=min(options.limits.idle_s, options.until_idle_s / 2))


def _read_models(settings: Settings) -> Models:
    engine = sync_engine(settings.database_url)
    try:
        with engine.connect() as connection:
            require_current(connection)
            return active_models(connection)
    except DBAPIError as error:
        if is_passing(error):
            raise unavailable(settings.database_url, error) from None
        raise
    finally:
        engine.dispose()


def _schema_ids(registry: Registry) -> dict[str, int]:
    return {topic: registry.current_id(topic) for topic in (JOURNEYS, SATISFACTION, CHURN_RISK)}


def _partitions(settings: Settings) -> int:
    """How many partitions touchpoints.v1 has."""
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers, "log_level": 0})
    try:
        topics = admin.list_topics(timeout=10).topics
    except KafkaException as error:
        raise Unavailable(
            f"Kafka at {settings.bootstrap_servers} does not answer: {error.args[0].str()}. "
            "Check KAFKA_BOOTSTRAP_SERVERS, or `pipeline status` for the local one."
        ) from None
    if TOUCHPOINTS not in topics:
        raise InvalidInput(f"Kafka at {settings.bootstrap_servers} has no topic {TOUCHPOINTS}. Run `pipeline init`.")
    return len(topics[TOUCHPOINTS].partitions)
