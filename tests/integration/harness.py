"""What the tests on real servers share: running commands and workers, reading topics and tables."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import forked
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from fastavro import schemaless_reader
from sqlalchemy import Engine, text

from pipeline.client.publisher import Publisher
from pipeline.connections.kafka import KafkaConnection
from pipeline.connections.registry import RegistryConnection
from pipeline.contract.encode import Encoder
from pipeline.contract.registry import Registry, touchpoint_encoder
from pipeline.contract.schema import parse_safely
from pipeline.flow import identity_rows
from pipeline.publishing.create_topics import CONFIGURATION, create_topics
from pipeline.scores.registry import topic_schemas
from pipeline.topics import TOUCHPOINTS
from pipeline.touchpoint import Touchpoint

PARTITIONS = 4
TABLES = ", ".join(
    [
        *(
            "journey",
            "satisfaction",
            "churn_risk",
            "customer_case",
            "customer_evidence",
            "touchpoint_count",
            "quarantine",
            "position",
            "outbox",
        ),
        *("feedback", "feedback_verbatim"),
        *[table.name for table in identity_rows.TABLES],
    ]
)


def registry_of(env: Mapping[str, str]) -> Registry:
    """Return the registry that the settings name."""
    return Registry(RegistryConnection.from_environment(env))


def encoder_of(env: Mapping[str, str]) -> Encoder:
    """Return an encoder of touchpoints with the schema's id in the registry that the settings name."""
    return touchpoint_encoder(RegistryConnection.from_environment(env))


def wait_until(happened: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """The first true result; fails with `what` after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := happened():
            return result
        time.sleep(0.05)
    pytest.fail(f"not within {seconds:.0f} s: {what}")


@dataclass
class Pipe:
    """The settings, and what a test does with the pipeline as its users do."""

    env: dict[str, str] = field(repr=False)
    engine: Engine
    folder: Path
    workers: list[forked.Command] = field(default_factory=list)

    def run(self, *arguments: str, check: bool = True, input: str = "") -> subprocess.CompletedProcess[str]:
        """A command, to its end."""
        done = forked.run(arguments, env=self.env, cwd=self.folder, input=input)
        assert not check or done.returncode == 0, done.stderr[-4000:]
        return done

    def start_command(self, *arguments: str, **settings: str) -> forked.Command:
        """A worker, or another command that goes on, in the background; its log is worker-N.log in the folder."""
        log = self.folder / f"worker-{len(self.workers)}.log"
        log.touch()
        command = forked.Command(arguments, env=self.env | settings, cwd=self.folder, files=["/dev/null", log, log])
        self.workers.append(command)
        return command

    def start_worker(self, *arguments: str, **settings: str) -> forked.Command:
        """A worker in the background; its log is worker-N.log in the folder."""
        return self.start_command("worker", *arguments, **settings)

    def work(self, *arguments: str, workers: int = 1) -> None:
        """Let workers process all there is; several wait for each other a little longer."""
        idle_s = "1" if workers == 1 else "2"
        started = [self.start_worker("--until-idle", idle_s, *arguments) for _ in range(workers)]
        for worker in started:
            assert worker.wait(timeout=560) == 0, self.log(self.workers.index(worker))

    def log(self, number: int = -1) -> str:
        """What a worker logged."""
        return (self.folder / f"worker-{number % len(self.workers)}.log").read_text()

    def publish(self, touchpoints: Iterable[Touchpoint]) -> None:
        """Through the project's own producer."""
        with Publisher(self.env["KAFKA_BOOTSTRAP_SERVERS"], self.env["SCHEMA_REGISTRY_URL"]) as publisher:
            for touchpoint in touchpoints:
                publisher.publish(touchpoint)

    def produce(self, records: Iterable[tuple[bytes | None, bytes | None]], topic: str = TOUCHPOINTS) -> None:
        """Raw keys and values."""
        producer = Producer(
            {
                "bootstrap.servers": self.env["KAFKA_BOOTSTRAP_SERVERS"],
                "partitioner": "murmur2_random",
                "message.max.bytes": 900_000,
            }
        )
        for key, value in records:
            producer.produce(topic, value, key)
        assert producer.flush(30) == 0

    def sql(self, query: str, **parameters: Any) -> list[Any]:
        """Rows."""
        with self.engine.connect() as connection:
            return list(connection.execute(text(query), parameters))

    def messages(self, topic: str) -> list[Message]:
        """All records of a topic that are committed, partition by partition in order."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.env["KAFKA_BOOTSTRAP_SERVERS"],
                "group.id": "reader",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 10,
            }
        )
        found: list[Message] = []
        try:
            for number in consumer.list_topics(topic, 10).topics[topic].partitions:
                consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING)])
                while True:
                    message = consumer.poll(10)
                    assert message is not None, f"{topic}/{number} gave nothing after {len(found):,} records"
                    if (error := message.error()) is not None:
                        assert error.code() == KafkaError._PARTITION_EOF, error
                        break
                    found.append(message)
        finally:
            consumer.close()
        return found

    def records(self, topic: str) -> list[dict[str, Any]]:
        """All records of a topic, decoded."""
        schema = parse_safely(topic_schemas()[topic])
        return [schemaless_reader(_body(message), schema, None) for message in self.messages(topic)]  # type: ignore[misc]


def _body(message: Message) -> Any:
    from io import BytesIO

    return BytesIO((message.value() or b"")[5:])


def empty_topics(servers: str, partitions: int = PARTITIONS) -> None:
    """Delete the topics and create them anew."""
    admin = AdminClient({"bootstrap.servers": servers})
    there = [name for name in CONFIGURATION if name in admin.list_topics(timeout=10).topics]
    for future in (admin.delete_topics(there) if there else {}).values():
        future.result(30)
    wait_until(lambda: not set(CONFIGURATION) & set(admin.list_topics(timeout=10).topics), "topics are deleted")
    create_topics(KafkaConnection(bootstrap_servers=servers), partitions, 1)

    def all_have_leaders() -> bool:
        topics = admin.list_topics(timeout=10).topics
        return all(
            name in topics
            and len(topics[name].partitions) == partitions
            and all(partition.leader >= 0 for partition in topics[name].partitions.values())
            for name in CONFIGURATION
        )

    def all_leaders_answer() -> bool:
        everything = [TopicPartition(name, number) for name in CONFIGURATION for number in range(partitions)]
        answers = admin.list_offsets({each: OffsetSpec.latest() for each in everything})
        return all(future.exception(30) is None for future in answers.values())

    wait_until(all_have_leaders, "topics have leaders")
    wait_until(all_leaders_answer, "leaders know that they are")


@contextmanager
def empty_pipe(stack_env: dict[str, str], engine: Engine, folder: Path) -> Iterator[Pipe]:
    """Empty topics and tables; workers that are left running are killed afterwards."""
    empty_topics(stack_env["KAFKA_BOOTSTRAP_SERVERS"])
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {TABLES}"))
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("PIPELINE_", "KAFKA_", "DATABASE_", "SCHEMA_"))}
    settings = {
        "PIPELINE_GROUP": f"test-{os.getpid()}-{time.monotonic_ns()}",
        "PIPELINE_METRICS_ADDRESS": "127.0.0.1:0",
    }
    given = Pipe({**outside, **stack_env, **settings}, engine, folder)
    yield given
    for worker in given.workers:
        if worker.poll() is None:
            worker.send_signal(signal.SIGCONT)
            worker.kill()
            worker.wait()
