"""Wiring: the only place that knows all parts of a worker, and puts them together."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import psycopg
import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline import catalogue
from pipeline.cases import types as case_types
from pipeline.cases.rules import CaseRules
from pipeline.connections.database import async_engine, is_passing, sync_engine, unavailable
from pipeline.connections.kafka import ClientErrors
from pipeline.consumer.app import MAX_RECORDS
from pipeline.consumer.lag_monitor import LagMonitor
from pipeline.consumer.runner import Runner
from pipeline.consumer.source import FaustSource
from pipeline.consumer.static_member import StaticMember
from pipeline.consumer.topic_reader import TopicReader
from pipeline.contract.registry import Registry
from pipeline.errors import InvalidInput, Unavailable
from pipeline.failpoint import Reached, failpoint
from pipeline.flow.admission import Admission
from pipeline.flow.identities import IdentityRules
from pipeline.identity.policy import IdentityPolicy
from pipeline.journey import policy
from pipeline.journey.activity import check_kinds
from pipeline.journey.policy import Policy
from pipeline.ledger.active_models import active_scores
from pipeline.ledger.key_counts import PostgresKeyReader
from pipeline.ledger.ledger_id import read_ledger_id
from pipeline.ledger.outbox_age import PostgresOutboxReader
from pipeline.ledger.postgres import PostgresLedger
from pipeline.ledger.revision import head, require_current
from pipeline.ledger.risk_sweep import PostgresRiskReader
from pipeline.ledger.session import Session
from pipeline.model_check import can_check, check_models
from pipeline.observe import http, logs
from pipeline.observe.build import build_labels
from pipeline.observe.health import Health
from pipeline.observe.health_metrics import HealthMetrics
from pipeline.observe.metrics import Metrics
from pipeline.processing.assignment import AssignedPartitions
from pipeline.processing.case_updates import CaseUpdates
from pipeline.processing.committer import Committer
from pipeline.processing.direct_routes import DirectRoutes
from pipeline.processing.garbage_collection import GarbageCollection
from pipeline.processing.key_monitor import KeyMonitor
from pipeline.processing.limits import Limits
from pipeline.processing.model_monitor import ModelMonitor
from pipeline.processing.model_updates import ModelUpdates
from pipeline.processing.outbox_monitor import OutboxMonitor
from pipeline.processing.risk_sweep import RiskSweep
from pipeline.processing.slice_processor import CONCURRENT_TRANSACTIONS, SliceProcessor
from pipeline.processing.worker import Worker
from pipeline.processing.writer_schemas import WriterSchemaCache
from pipeline.publishing.kafka_publisher import KafkaPublisher
from pipeline.publishing.outbox import OutboxPublisher
from pipeline.publishing.records import RecordSerializer
from pipeline.publishing.transactional_producer import TransactionalProducer
from pipeline.retry import Retry, first_line
from pipeline.scores.churn.score import CHURN_RISK
from pipeline.scores.protocol import ActiveScore
from pipeline.scores.registry import SCORES, topic_schemas
from pipeline.settings import Settings, host_name
from pipeline.topics import CASES, EXCHANGE, JOURNEYS, TOUCHPOINTS

log = structlog.get_logger(__name__)

Monitor: TypeAlias = OutboxMonitor | KeyMonitor | ModelMonitor

#: A dead letter carries its record, and headers beside it.
_MAX_MESSAGE_BYTES = 4 * 1024 * 1024
#: Seconds between two looks at which models are active.
_MODELS_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of `pipeline worker`."""

    until_idle_s: float | None = None
    max_records: int = MAX_RECORDS
    limits: Limits = field(default_factory=Limits)
    #: Seconds between two risk sweeps, and between two counts of keys.
    sweep_s: float = 60.0
    #: Seconds between two checks of the models; 0: none.
    check_models_s: float = 86_400.0
    scores: bool = True
    identity: bool = True
    give_up_s: float = 60.0
    statement_timeout_s: float = 30.0


async def run_worker(settings: Settings, options: Options) -> None:
    """Run one worker until it is told to stop or is done.

    Raises InvalidInput for settings that can't work, Unavailable for a server that stays away.
    """
    reached = failpoint(settings.failpoint)
    metrics, health = Metrics(), Health(beat_at=time.monotonic())
    HealthMetrics(health, metrics.registry)
    metrics.build.labels(**build_labels(head())).set(1)
    journey_policy = policy.read(settings.policy_file)
    case_rules = _check_policy(settings, journey_policy)
    port, stop_http = http.serve(settings.metrics_host, settings.metrics_port, metrics.registry, health)
    log.info("metrics", address=f"{settings.metrics_host}:{port}")
    retry = _retry(options.give_up_s, metrics, health)
    beating = asyncio.create_task(_beat(health))
    topics = (TOUCHPOINTS, EXCHANGE) if options.identity else (TOUCHPOINTS,)
    lag = LagMonitor(lambda: TopicReader(settings.kafka, settings.group), metrics, health, topics)
    lag.start()
    try:
        registry = Registry(settings.registry)
        scores, ledger_id = await retry.run("database", lambda: asyncio.to_thread(_read_ledger, settings))
        schema_ids = await retry.run("registry", lambda: asyncio.to_thread(_schema_ids, registry))
        partitions = await retry.run("broker", lambda: asyncio.to_thread(_partitions, settings))
        async with _resources(settings, options) as (engine, folder):
            member = StaticMember(settings.group, host_name()) if settings.instance is None else None
            instance = settings.instance or (member.name if member else "")
            logs.set_instance(instance)
            publisher = KafkaPublisher(
                TransactionalProducer(settings.kafka, settings.group, _MAX_MESSAGE_BYTES, reached), instance, health
            )
            beginning = asyncio.create_task(_begin_publishing(publisher))  # it takes as long as joining the group
            source = FaustSource(
                kafka=settings.kafka,
                group=settings.group,
                instance=instance,
                folder=folder,
                partitions=partitions,
                max_records=options.max_records,
                exchanges=options.identity,
                retry=retry,
                reached=reached,
            )
            worker, monitors = _worker(
                engine=engine,
                source=source,
                publisher=publisher,
                identity=journey_policy.identity if options.identity else None,
                ledger_id=ledger_id,
                partitions=partitions,
                serializer=RecordSerializer(schema_ids, SCORES),
                admission=Admission(catalogue.load(), journey_policy, partitions),
                writer_schemas=WriterSchemaCache(registry, TOUCHPOINTS, retry),
                scores=scores if options.scores else [],
                cases=case_rules if options.scores else None,
                grace_ms=journey_policy.grace_ms,
                limits=_limits(options),
                sweep_s=options.sweep_s,
                owner=instance,
                metrics=metrics,
                health=health,
                retry=retry,
                reached=reached,
            )
            log.info("worker starts", instance=instance, group=settings.group, partitions=partitions)
            runner = Runner(worker=worker, source=source, lag=lag, metrics=metrics, until_idle_s=options.until_idle_s)
            lag.follow(runner.committed_offsets)
            if options.scores and options.check_models_s:
                monitors = [*monitors, *_model_monitors(settings, options, worker, metrics)]
            async with _beside(*[monitor.run() for monitor in monitors]):
                await runner.run_until_stopped()
            await beginning
        log.info("worker stopped")
    except (DBAPIError, psycopg.Error) as error:
        raise unavailable(settings.database_url, error) from None
    finally:
        beating.cancel()
        await asyncio.to_thread(lag.stop)
        stop_http()


@contextlib.asynccontextmanager
async def _beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let something run until the end of the `async with` block."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _worker(
    *,
    engine: AsyncEngine,
    source: FaustSource,
    publisher: KafkaPublisher,
    identity: IdentityPolicy | None,
    ledger_id: str,
    partitions: int,
    serializer: RecordSerializer,
    admission: Admission,
    writer_schemas: WriterSchemaCache,
    scores: Sequence[ActiveScore],
    cases: CaseRules | None,
    grace_ms: int,
    limits: Limits,
    sweep_s: float,
    owner: str,
    metrics: Metrics,
    health: Health,
    retry: Retry,
    reached: Reached,
) -> tuple[Worker, Sequence[Monitor]]:
    ledger = PostgresLedger(Session(engine, CONCURRENT_TRANSACTIONS), retry, SCORES, identity is not None)
    outbox = OutboxPublisher(publisher, serializer, ledger, retry)
    assigned = AssignedPartitions(metrics, health, outbox.forget)
    committer = Committer(
        ledger=ledger,
        assigned=assigned,
        outbox=outbox,
        scores=scores,
        grace_ms=grace_ms,
        identity=None if identity is None else IdentityRules(identity, admission.readmit, partitions, ledger_id),
        cases=None if cases is None else CaseUpdates(ledger, cases),
        max_customers=limits.customers,
        routes=DirectRoutes(assigned),
        metrics=metrics,
        reached=reached,
    )
    slices = SliceProcessor(
        admission=admission,
        writer_schemas=writer_schemas,
        committer=committer,
        assigned=assigned,
        metrics=metrics,
        clock_ms=_clock_ms,
    )
    churn = [active.model for active in scores if active.score is CHURN_RISK]
    risk_sweep = (
        RiskSweep(
            reader=PostgresRiskReader(Session(engine)),
            ledger=ledger,
            committer=committer,
            assigned=assigned,
            model=churn[0],
            metrics=metrics,
            retry=retry,
            interval_s=sweep_s,
            clock_ms=_clock_ms,
        )
        if churn
        else None
    )
    monitors: list[Monitor] = [
        OutboxMonitor(
            reader=PostgresOutboxReader(Session(engine)), assigned=assigned, confirmed=outbox.confirmed, metrics=metrics
        )
    ]
    if identity is not None:
        monitors.append(
            KeyMonitor(
                reader=PostgresKeyReader(Session(engine)),
                assigned=assigned,
                metrics=metrics,
                interval_s=sweep_s,
                clock_ms=_clock_ms,
            )
        )
    worker = Worker(
        source=source,
        ledger=ledger,
        assigned=assigned,
        slices=slices,
        committer=committer,
        outbox=outbox,
        risk_sweep=risk_sweep,
        models=ModelUpdates(ledger=ledger, committer=committer, risk_sweep=risk_sweep, interval_s=_MODELS_S)
        if scores
        else None,
        metrics=metrics,
        garbage=GarbageCollection(),
        reached=reached,
        owner=owner,
        grace_ms=grace_ms,
        idle_s=limits.idle_s,
        clock_ms=_clock_ms,
    )
    return worker, monitors


def _model_monitors(settings: Settings, options: Options, worker: Worker, metrics: Metrics) -> list[Monitor]:
    if not can_check():
        log.info("models are not checked: the extra models is not installed")
        return []
    environment = {"DATABASE_URL": settings.database_url}
    return [
        ModelMonitor(
            check=lambda: check_models(environment),
            assigned=worker.assigned,
            metrics=metrics,
            interval_s=options.check_models_s,
        )
    ]


@contextlib.asynccontextmanager
async def _resources(settings: Settings, options: Options) -> AsyncIterator[tuple[AsyncEngine, str]]:
    """Give the database's engine, and a folder that Faust may write to."""
    engine = async_engine(settings.database_url, options.statement_timeout_s)
    with TemporaryDirectory(prefix="pipeline-worker-") as folder:
        try:
            yield engine, folder
        finally:
            await engine.dispose()


def _clock_ms() -> int:
    return time.time_ns() // 1_000_000


def _retry(give_up_s: float, metrics: Metrics, health: Health) -> Retry:
    """Return a retry that shows in metrics and health which server is away."""

    def failed(server: str, error: BaseException) -> None:
        health.failed(server, first_line(error), time.monotonic())
        metrics.retries.labels(server).inc()

    def answered(server: str) -> None:
        if server != "publishing":  # that begins anew, and is right again with the next transaction
            health.answered(server)

    return Retry(
        give_up_s=give_up_s,
        passing=lambda error: is_passing(error) or isinstance(error, Unavailable),
        on_failure=failed,
        on_success=answered,
    )


def _check_policy(settings: Settings, journey_policy: Policy) -> CaseRules:
    """Return the rules of cases. Raises InvalidInput if the policy does not go with the catalogue."""
    roles = {name: kind.role for name, kind in catalogue.load().kinds.items()}
    try:
        check_kinds(journey_policy.activity, roles)
        return CaseRules(catalogue.load(), case_types.load(), journey_policy.cases)
    except ValueError as error:
        raise InvalidInput(f"The journey policy {settings.policy_file} can't be used: {error}.") from None


async def _begin_publishing(publisher: KafkaPublisher) -> None:
    """Begin publishing; if the broker does not answer, taking partitions tries it again."""
    with contextlib.suppress(Unavailable):
        await publisher.ready()


async def _beat(health: Health) -> None:
    """Show that the event loop runs."""
    while True:
        health.beat_at = time.monotonic()
        await asyncio.sleep(1)


def _limits(options: Options) -> Limits:
    """Return the limits; partitions that go idle must have closed their journeys before the worker is done."""
    if options.until_idle_s is None:
        return options.limits
    return replace(options.limits, idle_s=min(options.limits.idle_s, options.until_idle_s / 2))


def _read_ledger(settings: Settings) -> tuple[Sequence[ActiveScore], str]:
    """Return the scores with their models, and the id of the tables."""
    engine = sync_engine(settings.database_url)
    try:
        with engine.connect() as connection:
            require_current(connection)
            return active_scores(connection, SCORES), read_ledger_id(connection)
    except DBAPIError as error:
        if is_passing(error):
            raise unavailable(settings.database_url, error) from None
        raise
    finally:
        engine.dispose()


def _schema_ids(registry: Registry) -> dict[str, int]:
    schemas = topic_schemas()
    return {topic: registry.current_id(topic, schemas[topic]) for topic in schemas if topic != TOUCHPOINTS}


def _partitions(settings: Settings) -> int:
    """Return the number of partitions of touchpoints.v1."""
    kafka, errors = settings.kafka, ClientErrors()
    admin = AdminClient(kafka.client_settings(errors))
    try:
        topics = admin.list_topics(timeout=10).topics
    except KafkaException as error:
        raise kafka.unreachable(error, admin, errors) from None
    for topic in (TOUCHPOINTS, JOURNEYS, CASES, EXCHANGE):
        if topic not in topics:
            raise InvalidInput(f"Kafka at {kafka} has no topic {topic}. Run `pipeline init`.")
    number = len(topics[TOUCHPOINTS].partitions)
    for topic in (JOURNEYS, CASES, EXCHANGE):
        if (other := len(topics[topic].partitions)) != number:
            raise InvalidInput(
                f"{topic} has {other} partitions, and {TOUCHPOINTS} has {number}. They must have the same number, "
                "since what is a customer's is on the customer's partition; docs/operations.md says how to make one "
                "anew."
            )
    return number
