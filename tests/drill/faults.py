"""The faults of the drill, each with the alerts that have to come."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from sqlalchemy import text

from drill.scene import PARTITIONS, RATE, Scene
from pipeline.connections.registry import RegistryConnection
from pipeline.contract.encode import touchpoint_record
from pipeline.contract.registry import touchpoint_encoder
from pipeline.topics import JOURNEYS, TOUCHPOINTS
from pipeline.touchpoint import IDENTITY_RETRACTED, Identifier, Touchpoint, own_key

#: Seconds by which a warning and a critical alert have to come.
WARNING_S, CRITICAL_S = 60.0, 120.0


class Fault(NamedTuple):
    """A fault: `inject` brings it about for the `with` block, which ends once the alerts have come.

    `expected` are the alerts that have to come, each with the seconds that it has; `allowed` may come besides.
    `lasts_s` is for a fault that ends by itself, or without an alert: how long it is watched.
    """

    name: str
    inject: Callable[[Scene], Iterator[None]]
    expected: dict[str, float]
    allowed: frozenset[str] = frozenset()
    lasts_s: float = 0.0
    #: Alerts that go on for long after the fault by design.
    stays: frozenset[str] = frozenset()


def rolling_restart(scene: Scene) -> Iterator[None]:
    """Each worker is stopped and started, one after the other."""
    for worker in scene.workers:
        worker.restart()
        time.sleep(15)
    yield


def short_pause(scene: Scene) -> Iterator[None]:
    """A worker stands still for five seconds."""
    scene.workers[0].send(signal.SIGSTOP)
    time.sleep(5)
    scene.workers[0].send(signal.SIGCONT)
    yield


def long_pause(scene: Scene) -> Iterator[None]:
    """A worker stands still until others have its partitions, and comes back: it is fenced off once."""
    scene.workers[0].send(signal.SIGSTOP)
    time.sleep(20)
    scene.workers[0].send(signal.SIGCONT)
    yield


def short_restart_of_postgres(scene: Scene) -> Iterator[None]:
    """Postgres shuts down and starts."""
    server = scene.stack.server("postgres")
    server.stop(hard=False)
    server.start()
    server.wait_ready()
    yield


def _away(name: str) -> Callable[[Scene], Iterator[None]]:
    def inject(scene: Scene) -> Iterator[None]:
        server = scene.stack.server(name)
        server.stop(hard=True)
        try:
            yield
        finally:
            server.start()
            server.wait_ready()

    return inject


def journeys_refused(scene: Scene) -> Iterator[None]:
    """journeys.v1 takes no record of more than 100 bytes."""
    _configure(scene, JOURNEYS, "max.message.bytes", "100")
    try:
        yield
    finally:
        _configure(scene, JOURNEYS, "max.message.bytes", "1048588")


def flood_of_bad_records(scene: Scene) -> Iterator[None]:
    """Within a second come as many invalid records as good ones in a minute."""
    scene.produce(_touchpoints(scene, 60 * RATE, right_key=True, is_valid=False))
    yield


def unreadable_record(scene: Scene) -> Iterator[None]:
    """One record is no Avro at all."""
    scene.produce([(b"customer:x", b"{}")])
    yield


def wrong_keys(scene: Scene) -> Iterator[None]:
    """A producer of 6 % of the records uses another key."""
    stop = threading.Event()

    def produce() -> None:
        while not stop.wait(1):
            scene.produce(_touchpoints(scene, max(4, RATE * 6 // 100), right_key=False))

    thread = threading.Thread(target=produce, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def records_expired(scene: Scene) -> Iterator[None]:
    """Records are deleted while the workers are stopped."""
    for worker in scene.workers:
        worker.stop()
    scene.watch([])
    time.sleep(5)
    admin = AdminClient({"bootstrap.servers": scene.env["KAFKA_BOOTSTRAP_SERVERS"]})
    from confluent_kafka import OFFSET_END

    everything = [TopicPartition(TOUCHPOINTS, number, OFFSET_END) for number in range(PARTITIONS)]
    for future in admin.delete_records(everything).values():
        future.result(30)
    for worker in scene.workers:
        worker.start()
    scene.watch(scene.workers)
    yield


def hanging_loop(scene: Scene) -> Iterator[None]:
    """The event loop of a worker hangs, while it serves its metrics."""
    worker = scene.workers[0]
    worker.restart(PIPELINE_FAILPOINT="before_commit:20:hang")
    try:
        yield
    finally:
        worker.stop(signal.SIGKILL)
        worker.start()


def all_workers_dead(scene: Scene) -> Iterator[None]:
    """All workers are killed, and nobody starts them."""
    for worker in scene.workers:
        worker.stop(signal.SIGKILL)
    try:
        yield
    finally:
        for worker in scene.workers:
            worker.start()


def container_gone(scene: Scene) -> Iterator[None]:
    """A worker ends, and discovery drops it."""
    scene.workers[1].stop()
    scene.watch(scene.workers[:1])
    try:
        yield
    finally:
        scene.workers[1].start()
        scene.watch(scene.workers)


def restart_loop(scene: Scene) -> Iterator[None]:
    """A worker ends soon after each start: it does not reach its database."""
    worker, usual = scene.workers[1], scene.workers[1].arguments
    worker.arguments = [*usual, "--give-up", "5"]
    worker.restart(DATABASE_URL="postgresql+psycopg://postgres@127.0.0.1:1/pipeline")
    try:
        yield
    finally:
        worker.arguments = usual
        worker.restart()


def wrong_setting(scene: Scene) -> Iterator[None]:
    """A worker ends at once at each start: its policy file is gone."""
    worker = scene.workers[1]
    worker.restart(PIPELINE_POLICY=str(scene.folder / "gone.toml"))
    try:
        yield
    finally:
        worker.restart()


def open_transaction(scene: Scene) -> Iterator[None]:
    """A producer leaves a transaction open."""
    producer = scene.producer(**{"transactional.id": "careless", "transaction.timeout.ms": 600_000})
    producer.init_transactions(30)
    producer.begin_transaction()
    for key, value in _touchpoints(scene, 20, right_key=True):
        producer.produce(TOUCHPOINTS, value, key)
    producer.flush(30)
    try:
        yield
    finally:
        producer.abort_transaction(30)


def locked_table(scene: Scene) -> Iterator[None]:
    """Somebody holds a lock that every commit needs."""
    with scene.database() as connection:
        connection.exec_driver_sql("LOCK TABLE journey IN EXCLUSIVE MODE")
        try:
            yield
        finally:
            connection.rollback()


def many_keys(scene: Scene) -> Iterator[None]:
    """A customer's number comes with 60 devices, in a purchase; then somebody takes that back."""
    now_ms = time.time_ns() // 1_000_000
    devices = tuple([Identifier("device", f"drill-{number}") for number in range(60)])
    purchase = Touchpoint(
        event_id=f"drill-devices-{now_ms}",
        source="drill",
        occurred_at=now_ms,
        channel="web",
        kind="purchase",
        customer_id="drill-branch",
        identifiers=devices,
    )
    scene.produce(_records(scene, [purchase]))
    try:
        yield
    finally:
        retraction = Touchpoint(
            event_id=f"drill-retracted-{now_ms}",
            source="drill",
            occurred_at=now_ms + 1,
            kind=IDENTITY_RETRACTED,
            customer_id="drill-branch",
            subject=purchase.event_id,
        )
        scene.produce(_records(scene, [retraction]))


def late_naming(scene: Scene) -> Iterator[None]:
    """A cookie came 500 days ago; now an event of then says whose it was."""
    now_ms = time.time_ns() // 1_000_000
    visit = Touchpoint(
        event_id=f"drill-visit-{now_ms}",
        source="drill",
        occurred_at=now_ms - 500 * 86_400_000,
        channel="web",
        kind="page_viewed",
        anonymous_id=f"drill-{now_ms}",
    )
    scene.produce(_records(scene, [visit]))
    while not _has_journey(scene, own_key(visit)):
        time.sleep(0.5)
    sign_in = visit._replace(event_id=f"drill-late-{now_ms}", kind="signed_in", customer_id="drill-late")
    scene.produce(_records(scene, [sign_in]))
    yield


def _has_journey(scene: Scene, customer: str | None) -> bool:
    with scene.database() as connection:
        found = connection.execute(text("SELECT 1 FROM journey WHERE customer = :customer"), {"customer": customer})
        return found.first() is not None


FAULTS = (
    Fault("rolling restart", rolling_restart, {}, lasts_s=60),
    Fault("a pause of 5 s", short_pause, {}, lasts_s=60),
    Fault("a pause of 20 s, with fencing", long_pause, {}, lasts_s=60),
    Fault("restart of Postgres", short_restart_of_postgres, {}, lasts_s=60),
    Fault("Postgres away for 45 s", _away("postgres"), {"PipelineServerAway": WARNING_S}, lasts_s=45),
    Fault(
        "Postgres away",
        _away("postgres"),
        {"PipelineServerAway": WARNING_S, "PipelinePartitionStuck": CRITICAL_S},
        frozenset(
            {"PipelineBehind", "PipelineExchangeBehind", "PipelinePartitionsUnowned", "PipelineWorkerDown",
             "PipelineWorkerRestarting", "PipelineAuditMissing"}
        ),
    ),
    Fault(
        "Kafka away",
        _away("kafka"),
        {"PipelineServerAway": WARNING_S},
        frozenset(
            {"PipelinePartitionStuck", "PipelineBehind", "PipelineExchangeBehind", "PipelineUnpublished",
             "PipelinePartitionsUnowned"}
        ),
    ),
    Fault("journeys.v1 refuses writes", journeys_refused, {"PipelineUnpublished": WARNING_S}),
    Fault("a flood of bad records", flood_of_bad_records, {"PipelineRejecting": WARNING_S}),
    Fault("an unreadable record", unreadable_record, {"PipelineUnreadable": WARNING_S}),
    Fault("6 % wrong keys", wrong_keys, {"PipelineWrongKeys": WARNING_S}),
    Fault("a customer with 60 keys", many_keys, {"PipelineManyKeys": 2 * WARNING_S}),  # workers count once a minute
    Fault(
        "an open transaction",
        open_transaction,
        {"PipelineHeldBack": WARNING_S},
        frozenset({"PipelineBehind", "PipelineExchangeBehind"}),
    ),
    Fault(
        "a lock that all commits need",
        locked_table,
        {"PipelinePartitionStuck": CRITICAL_S},
        frozenset({"PipelineServerAway", "PipelineBehind", "PipelineExchangeBehind"}),
    ),
    Fault(
        "an event loop that hangs",
        hanging_loop,
        {"PipelineLoopHangs": CRITICAL_S},
        frozenset({"PipelinePartitionStuck", "PipelineBehind", "PipelineExchangeBehind"}),
    ),
    Fault(
        "all workers dead",
        all_workers_dead,
        {"PipelineNoWorker": CRITICAL_S, "PipelineWorkerDown": WARNING_S},
        frozenset({"PipelineWorkerRestarting"}),  # the fault before has restarted one of them twice
    ),
    Fault("a container that discovery drops", container_gone, {"PipelineWorkerGone": WARNING_S}),
    Fault(
        "a worker that starts again and again",
        restart_loop,
        {"PipelineWorkerRestarting": CRITICAL_S},
        frozenset({"PipelineWorkerDown", "PipelineServerAway"}),
    ),
    Fault(
        "a worker with a wrong setting",
        wrong_setting,
        {"PipelineWorkerDown": WARNING_S},
        frozenset({"PipelineWorkerRestarting"}),
    ),
    Fault(
        "records that expired",
        records_expired,
        {"PipelineRecordsExpired": CRITICAL_S},
        frozenset({"PipelineWorkerGone", "PipelineNoWorker"}),
        stays=frozenset({"PipelineRecordsExpired"}),  # for an hour: it is critical, and cannot be mended
    ),
    Fault(
        "a naming of 500 days ago",
        late_naming,
        {"PipelineFinalChanges": WARNING_S},
        frozenset({"PipelineRecordsExpired"}),
        stays=frozenset({"PipelineRecordsExpired", "PipelineFinalChanges"}),  # each for an hour
    ),
)  # fmt: skip


@contextmanager
def injected(fault: Fault, scene: Scene) -> Iterator[None]:
    """The fault holds within the block."""
    running = fault.inject(scene)
    next(running)
    try:
        yield
    finally:
        for _ in running:
            pass


def _configure(scene: Scene, topic: str, name: str, value: str) -> None:
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": scene.env["KAFKA_BOOTSTRAP_SERVERS"]})
    admin.incremental_alter_configs([resource])[resource].result(30)


def _touchpoints(scene: Scene, number: int, *, right_key: bool, is_valid: bool = True) -> list[tuple[bytes, bytes]]:
    """Records of touchpoints of now; those that are not valid are ten days ahead of the clock."""
    now_ms = time.time_ns() // 1_000_000
    touchpoints = [
        Touchpoint(
            event_id=f"drill-{now_ms}-{place}",
            source="drill",
            occurred_at=now_ms if is_valid else now_ms + 10 * 86_400_000,
            channel="web",
            kind="page_viewed",
            customer_id=f"d{place % 50}",
        )
        for place in range(number)
    ]
    records = _records(scene, touchpoints)
    return records if right_key else [(f"other-{place}".encode(), value) for place, (_, value) in enumerate(records)]


def _records(scene: Scene, touchpoints: Sequence[Touchpoint]) -> list[tuple[bytes, bytes]]:
    """Keys and values of touchpoints' records, with the right key."""
    encoder = touchpoint_encoder(RegistryConnection.from_environment(scene.env))
    return [((own_key(each) or "").encode(), encoder.encode(touchpoint_record(each))) for each in touchpoints]
