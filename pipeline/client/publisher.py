"""Publishes touchpoints: validated, keyed by customer, in order, each exactly once in the topic."""

from __future__ import annotations

import time
from collections.abc import Callable, Set
from types import TracebackType
from typing import Any, Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipeline.client.outgoing import outgoing
from pipeline.connections.kafka import ClientErrors, KafkaConnection
from pipeline.connections.registry import RegistryConnection
from pipeline.contract.registry import touchpoint_encoder
from pipeline.errors import InvalidInput, Unavailable
from pipeline.topics import TOUCHPOINTS
from pipeline.touchpoint import Touchpoint

#: Maximum time for the broker's first answer.
ANSWER_S = 10.0
#: Maximum time that a touchpoint waits for others of its batch.
LINGER_MS = 30
#: Time after which an undeliverable touchpoint has failed.
DELIVERY_TIMEOUT_MS = 30_000
#: Maximum number of touchpoints that wait for the broker; then `publish` waits, too.
QUEUE_MESSAGES = 100_000
#: Maximum size of these touchpoints in KiB; with usual ones the number is reached first.
QUEUE_KBYTES = 128 * 1024


class Publisher:
    """Sends touchpoints to Kafka; use it as a context manager, since only leaving it waits for their delivery.

    `kafka` and `registry` are connections, or plain addresses: HOST:PORT and a URL. `settings.load` reads connections
    from the environment. `nobody` are values that name nobody by the workers' policy, in lower case; without them, a
    touchpoint that names itself by such a value alone is published, and refused by the worker.

    Counts: `published` (accepted by the producer), `delivered` (acknowledged by all in-sync replicas), `failed`.
    Records' times are the broker's (append time). Raises Unavailable when broker or registry do not answer, and
    InvalidInput when `pipeline init` has not made the topic and its schema.
    """

    def __init__(
        self,
        kafka: KafkaConnection | str,
        registry: RegistryConnection | str,
        *,
        topic: str = TOUCHPOINTS,
        nobody: Set[str] = frozenset(),
        delivery_timeout_ms: int = DELIVERY_TIMEOUT_MS,
        queue_messages: int = QUEUE_MESSAGES,
        queue_kbytes: int = QUEUE_KBYTES,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.published = self.delivered = self.failed = 0
        self._kafka = KafkaConnection.of(kafka)
        self._nobody = nobody
        self._topic, self._now_ms, self._delivery_timeout_ms = topic, now_ms, delivery_timeout_ms
        self._errors = ClientErrors()
        self._producer = Producer(
            {
                **self._kafka.client_settings(self._errors),
                "client.id": "touchpoint-pipeline",
                "enable.idempotence": True,
                "acks": "all",
                "compression.type": "zstd",
                "linger.ms": min(LINGER_MS, delivery_timeout_ms - 1),
                # The Java client's default: every client, this one and others', puts a customer on the same partition.
                "partitioner": "murmur2_random",
                "delivery.timeout.ms": delivery_timeout_ms,
                "queue.buffering.max.messages": queue_messages,
                "queue.buffering.max.kbytes": queue_kbytes,
            }
        )
        self._find_topic()
        self._encoder = touchpoint_encoder(RegistryConnection.of(registry))

    def publish(self, touchpoint: Touchpoint) -> None:
        """Publish one touchpoint; wait while the queue is full.

        Raises Unpublishable when it is not valid (nothing was sent then, and others may follow), and Unavailable as
        soon as any touchpoint could not be delivered.
        """
        key, value = outgoing(touchpoint, self._encoder, self._now_ms(), self._nobody)
        while True:
            try:
                self._producer.produce(self._topic, value, key, on_delivery=self._on_delivery)
                break
            except BufferError:
                self._producer.poll(0.1)
                self._raise_if_failed()
            except KafkaException as error:
                raise self._unavailable(error.args[0].str()) from None
        self.published += 1
        self._producer.poll(0)
        self._raise_if_failed()

    def flush(self) -> None:
        """Wait until all that was published is delivered; raises Unavailable when something was not."""
        left = self._producer.flush(self._delivery_timeout_ms / 1000 + 5)
        if self.failed or left:
            raise self._undelivered()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.flush()
        elif not self.failed:  # what was published before is still delivered; the raised error says the rest
            self._producer.flush(5)

    def _find_topic(self) -> None:
        try:
            topics: dict[str, Any] = self._producer.list_topics(timeout=ANSWER_S).topics
        except KafkaException as error:
            raise self._kafka.unreachable(error, self._producer, self._errors) from None
        if self._topic not in topics:
            raise InvalidInput(f"Kafka at {self._kafka} has no topic {self._topic}. Run `pipeline init`.")

    def _on_delivery(self, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self.delivered += 1
        else:
            self.failed += 1
            self._errors.last = error.str()

    def _raise_if_failed(self) -> None:
        if self.failed:
            raise self._undelivered()

    def _undelivered(self) -> Unavailable:
        lost = self.published - self.delivered
        why = self._errors.last or "the broker did not confirm them in time"
        return self._unavailable(f"{lost:,} of {self.published:,} touchpoints were not delivered; {why}")

    def _unavailable(self, why: str) -> Unavailable:
        return Unavailable(
            f"Kafka at {self._kafka} does not take touchpoints: {why}. "
            "Check KAFKA_BOOTSTRAP_SERVERS, or `pipeline status` for the local one."
        )
