"""A consumer of journeys.v1 in a process of its own, which notes when it had the first revision of a journey."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from threading import Event

from confluent_kafka import Consumer, TopicPartition

from pipeline.errors import PipelineError
from pipeline.topics import JOURNEYS

#: Key → the record's timestamp and when the consumer had it in hand, in epoch seconds.
Seen = dict[bytes, tuple[float, float]]
_START_S = 30.0


class Watch:
    """Says at the end what came, and on the way how much."""

    def __init__(self, pipe: Connection, count: object, stop: Event) -> None:
        self._pipe, self._count, self._stop = pipe, count, stop

    @property
    def count(self) -> int:
        """Return how many keys came so far."""
        return int(self._count.value)  # type: ignore[attr-defined]

    def seen(self) -> Seen:
        """Everything; the consumer ends."""
        self._stop.set()
        try:
            found: Seen = self._pipe.recv()
        except EOFError:
            raise PipelineError(f"The consumer of {JOURNEYS} has ended before its time.") from None
        return found


@contextmanager
def watching(bootstrap_servers: str, prefix: bytes) -> Iterator[Watch]:
    """Look at the first record of each key that begins with `prefix`; runs when the block begins."""
    context = multiprocessing.get_context("spawn")  # librdkafka does not live through a fork
    here, there = context.Pipe(duplex=False)
    count, stop = context.Value("q", 0), context.Event()
    child = context.Process(target=_consume, args=(bootstrap_servers, prefix, there, count, stop), daemon=True)
    child.start()
    there.close()
    try:
        if not here.poll(_START_S) or here.recv() != "ready":
            raise PipelineError(f"The consumer of {JOURNEYS} does not start.")
        yield Watch(here, count, stop)
    finally:
        stop.set()
        child.join(5)
        child.kill()


def _consume(bootstrap_servers: str, prefix: bytes, pipe: Connection, count: object, stop: Event) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "bench-latency",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "log_level": 0,
        }
    )
    partitions = consumer.list_topics(JOURNEYS, 10).topics[JOURNEYS].partitions
    consumer.assign([TopicPartition(JOURNEYS, number, 0) for number in partitions])
    consumer.poll(0.5)
    pipe.send("ready")
    seen: Seen = {}
    while not stop.is_set():
        message = consumer.poll(0.2)
        if message is None or message.error() is not None:
            continue
        at, key = time.time(), message.key().rpartition(b"/")[0]
        if key.startswith(prefix) and key not in seen:
            seen[key] = (message.timestamp()[1] / 1000, at)
            count.value += 1  # type: ignore[attr-defined]
    pipe.send(seen)
    pipe.close()
    consumer.close()
