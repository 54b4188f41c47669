"""The same records once more, through one worker that nothing happens to."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from faults.collect import tables
from faults.database import Database
from faults.waiting import wait_for
from faults.world import Record
from pipeline.connections.kafka import KafkaConnection
from pipeline.publishing.create_topics import CONFIGURATION, create_topics
from pipeline.topics import TOUCHPOINTS

WORK_S = 600


def delete_topics(kafka: KafkaConnection) -> None:
    """Delete the pipeline's topics."""
    admin = AdminClient({**kafka.client_settings()})

    def there() -> set[str]:
        return set(CONFIGURATION) & set(admin.list_topics(timeout=10).topics)

    for future in (admin.delete_topics(list(there())) if there() else {}).values():
        future.result(30)
    wait_for(lambda: not there(), "topics are deleted")


def empty_topics(kafka: KafkaConnection, partitions: int) -> None:
    """Delete the topics and create them anew."""
    admin = AdminClient({**kafka.client_settings()})

    def have_leaders() -> bool:
        topics = admin.list_topics(timeout=10).topics
        return all(
            name in topics
            and len(topics[name].partitions) == partitions
            and all(partition.leader >= 0 for partition in topics[name].partitions.values())
            for name in CONFIGURATION
        )

    delete_topics(kafka)
    create_topics(kafka, partitions, 1)
    wait_for(have_leaders, "topics have leaders")


def replay(kafka: KafkaConnection, records: Sequence[Record]) -> None:
    """Produce what producers sent, to the partitions and in the order in which it was; not what workers sent on."""
    producer = Producer(
        {
            **kafka.client_settings(),
            "message.max.bytes": 900_000,
            "enable.idempotence": True,
        }
    )
    for record in records:
        if record.forwarded_from is not None:
            continue
        while True:
            try:
                producer.produce(TOUCHPOINTS, record.value, record.key, record.partition, headers=list(record.headers))
                break
            except BufferError:
                producer.poll(0.1)
    if left := producer.flush(60):
        raise RuntimeError(f"{left:,} records could not be produced again")


def work(env: Mapping[str, str], instance: str, folder: Path) -> None:
    """One worker until all is processed and every journey that can be over is closed."""
    log = folder / f"{instance}-until-idle-{time.monotonic_ns()}.log"
    with log.open("wb") as out:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", "worker", "--until-idle", "4"],
            env={**env, "PIPELINE_INSTANCE": instance},
            cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=WORK_S, check=False,
        )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"the worker that was to finish ended with {done.returncode}; its log is {log}")


def run(
    env: Mapping[str, str], database: Database, records: Sequence[Record], partitions: int, group: str, folder: Path
) -> Mapping[str, Counter[str]]:
    """What the tables hold after one undisturbed worker; empties the topics first."""
    kafka = KafkaConnection.from_environment(env)
    empty_topics(kafka, partitions)
    replay(kafka, records)
    work({**env, "DATABASE_URL": database.url, "PIPELINE_GROUP": group}, "undisturbed", folder)
    return tables(database)
