"""Publishing after committing: what a transaction recorded goes out in order, and is confirmed by the broker."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipeline.errors import Unavailable
from pipeline.stream.records import Outgoing

_FLUSH_S = 60.0
#: Confirmation is waited for no more often than this: small batches must not each wait for the broker.
_CONFIRM_EVERY_S = 0.05


class Publication:
    """An idempotent producer, which keeps the order of each key, and what it has confirmed of each partition.

    Only failures are reported record by record; that a batch was delivered shows when a flush leaves nothing behind.
    """

    def __init__(self, bootstrap_servers: str, max_message_bytes: int) -> None:
        self._servers = bootstrap_servers
        self._failure: str | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._flushed_at = 0.0
        self._sent: dict[int, int] = {}
        self._confirmed: dict[int, int] = {}
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "client.id": "touchpoint-pipeline-worker",
                "enable.idempotence": True,
                "acks": "all",
                "compression.type": "zstd",
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "message.max.bytes": max_message_bytes,
                "queue.buffering.max.messages": 500_000,
                "queue.buffering.max.kbytes": 262_144,
                "delivery.timeout.ms": int(_FLUSH_S * 1000),
                "delivery.report.only.error": True,
                "on_delivery": self._failed,
                "log_level": 0,
            }
        )

    async def send(self, partition: int, commit: int, records: Iterable[Outgoing]) -> None:
        """Publish what a commit of a partition recorded; returns when it is handed over.

        Waits for what went out before, now and then. Raises Unavailable when something was not delivered: a restart
        sends it again from the outbox.
        """
        if self._flushing is not None:
            await self._finish()
        produce, poll = self._producer.produce, self._producer.poll
        for topic, key, value, headers in records:
            while True:
                try:
                    produce(topic, value, key, headers=headers)
                    break
                except BufferError:
                    await asyncio.to_thread(poll, 0.1)
                except KafkaException as error:
                    raise self._unavailable(error.args[0].str()) from None
        self._sent[partition] = commit
        if time.monotonic() - self._flushed_at >= _CONFIRM_EVERY_S:
            self._flushing = asyncio.create_task(self._flush(dict(self._sent)))

    async def settle(self) -> None:
        """Wait until all that was sent is confirmed; raises Unavailable when something was not delivered."""
        if self._flushing is not None:
            await self._finish()
        if self._sent != self._confirmed:
            self._flushing = asyncio.create_task(self._flush(dict(self._sent)))
            await self._finish()

    def confirmed(self, partition: int) -> int:
        """The number of the partition's last commit whose records are all delivered; 0 for none."""
        return self._confirmed.get(partition, 0)

    def forget(self, partition: int) -> None:
        """The partition is no longer ours, or is taken anew."""
        self._sent.pop(partition, None)
        self._confirmed.pop(partition, None)

    async def close(self) -> None:
        """Wait for what is under way, as long as the broker takes it."""
        with contextlib.suppress(Unavailable):
            await self.settle()

    async def _finish(self) -> None:
        flushing, self._flushing = self._flushing, None
        if flushing is not None:
            await flushing
            self._flushed_at = time.monotonic()

    async def _flush(self, sent: dict[int, int]) -> None:
        left = await asyncio.to_thread(self._producer.flush, _FLUSH_S)
        if self._failure is not None or left:
            raise self._unavailable(self._failure or f"{left:,} records wait since {_FLUSH_S:.0f} s")
        for partition, commit in sent.items():
            if partition in self._sent:
                self._confirmed[partition] = commit

    def _failed(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failure = error.str()

    def _unavailable(self, why: str) -> Unavailable:
        return Unavailable(
            f"Kafka at {self._servers} does not take what is to be published: {why}. Nothing is lost: it stands in the "
            "table outbox, and the next worker publishes it."
        )
