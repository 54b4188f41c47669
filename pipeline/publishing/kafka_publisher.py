"""Publishing to Kafka: the records of commits are gathered into transactions, which end in the background."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable
from itertools import islice

import structlog

from pipeline.ledger.positions import Position
from pipeline.observe.health import Health
from pipeline.publishing.publisher import Interrupted
from pipeline.publishing.records import OutgoingRecord
from pipeline.publishing.transactional_producer import TransactionalProducer

log = structlog.get_logger(__name__)

#: Shortest time between the ends of two transactions: one costs the broker and the worker several milliseconds.
_INTERVAL_S = 0.1
#: Number of records that wait while a transaction ends; when there are more, processing waits, too.
_MAX_WAITING = 50_000
#: Number of records produced before others have a turn on the event loop.
_CHUNK = 1_000


class KafkaPublisher:
    """Implements `publisher.RecordPublisher` with one transactional producer, which publishes as `instance`.

    `health` shows since when topics have not taken what is published, and why.
    """

    def __init__(self, producer: TransactionalProducer, instance: str, health: Health) -> None:
        self._producer, self._instance, self._health = producer, instance, health
        self._ending: asyncio.Task[None] | None = None
        self._lock, self._beginning = asyncio.Lock(), asyncio.Lock()
        self._hurry = asyncio.Event()
        self._ended_at = 0.0
        self._begun = False
        self._interruption: Interrupted | None = None
        self._reset()

    def _reset(self) -> None:
        self._closing = False
        self._marks: dict[int, Position] = {}
        self._waiting: list[tuple[Position, list[OutgoingRecord]]] = []
        self._confirmed: dict[int, int] = {}

    async def ready(self) -> bool:
        """Wait until what was sent is published, or begin (anew); see `publisher.RecordPublisher`."""
        async with self._beginning:
            if self._begun:
                try:
                    await self.settle()
                    return False
                except Interrupted as why:
                    self._begun, self._interruption = False, why
            if self._interruption is not None:
                said = str(self._interruption)
                log.warning("publishing was interrupted, beginning anew", why=said)
                self._health.failed("publishing", said, time.monotonic())
                self._interruption = None
            await self._abandon()
            await asyncio.to_thread(self._producer.begin, self._instance)
            self._begun = True
            return True

    async def fence(self, instances: Iterable[str]) -> None:
        """End what other workers are publishing. Raises Unavailable."""
        await asyncio.gather(*(asyncio.to_thread(self._producer.fence, instance) for instance in instances))

    async def published(self, positions: Iterable[Position]) -> dict[int, int]:
        """Return for each partition the number of the commit up to which all is published."""
        try:
            published = await asyncio.to_thread(self._producer.published, positions)
        except Interrupted as why:
            self._begun, self._interruption = False, why
            raise
        self._confirmed |= published
        return published

    async def send(self, position: Position, records: Iterable[OutgoingRecord]) -> None:
        """Publish the records of the commit that led to `position`. Raises Interrupted."""
        self._raise_if_interrupted()
        try:
            await self._take(position, records)
        except BaseException as why:
            # The open transaction may hold some of the records or none, so that nothing after them may be committed.
            self._begun = False
            self._interruption = why if isinstance(why, Interrupted) else Interrupted("It was broken off.")
            raise

    async def _take(self, position: Position, records: Iterable[OutgoingRecord]) -> None:
        """Put records into the open transaction; while one ends, keep them for the next one."""
        async with self._lock:
            if self._closing:
                self._waiting.append((position, list(records)))
            else:
                await self._put(position, records)
                if self._ending is None or self._ending.done():
                    self._ending = asyncio.create_task(self._end())
        if sum(len(waiting) for _, waiting in self._waiting) > _MAX_WAITING:
            await self.settle()

    async def settle(self) -> None:
        """Wait until everything that was sent is published. Raises Interrupted."""
        if self._ending is not None and not self._ending.done():
            self._hurry.set()
            await asyncio.wait({self._ending})
        self._raise_if_interrupted()
        self._health.answered("publishing")

    @property
    def interrupted(self) -> bool:
        """Return whether it has to begin anew."""
        ending = self._ending
        failed = ending is not None and ending.done() and not ending.cancelled() and ending.exception() is not None
        return failed or not self._begun

    def confirmed(self, partition: int) -> int:
        """Return the number of the partition's last commit whose records are all published; 0 for none."""
        return self._confirmed.get(partition, 0)

    def forget(self, partition: int) -> None:
        """Forget what is confirmed of a partition."""
        self._confirmed.pop(partition, None)

    async def close(self) -> None:
        """Let go of the producer; what is not settled is left to the next worker."""
        await self._abandon()
        self._begun = False

    async def _end(self) -> None:
        """End the open transaction when it is time, then the one with what was sent in the meantime."""
        while self._marks:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + self._pause_s()):
                    await self._hurry.wait()
            async with self._lock:
                self._raise_if_interrupted()
                self._closing = True
                marks, self._marks = self._marks, {}
            await asyncio.to_thread(self._producer.end, marks)
            self._confirmed |= {number: position.commits for number, position in marks.items()}
            self._ended_at = time.monotonic()
            self._health.answered("publishing")
            async with self._lock:
                waiting, self._waiting = self._waiting, []
                for position, records in waiting:
                    await self._put(position, records)
                self._closing = False
        self._hurry.clear()

    def _pause_s(self) -> float:
        return max(0.0, self._ended_at + _INTERVAL_S - time.monotonic())

    async def _put(self, position: Position, records: Iterable[OutgoingRecord]) -> None:
        waiting = iter(records)
        while chunk := list(islice(waiting, _CHUNK)):
            rest: Iterable[OutgoingRecord] = chunk
            while rest := self._producer.put(rest):
                await asyncio.to_thread(self._producer.make_room)
            await asyncio.sleep(0)  # let others have a turn
        self._marks[position.partition] = position

    async def _abandon(self) -> None:
        """Forget everything that is under way."""
        ending, self._ending = self._ending, None
        if ending is not None:
            self._hurry.set()
            await asyncio.wait({ending})
            with contextlib.suppress(Exception):
                ending.result()
        self._hurry.clear()
        self._reset()
        await asyncio.to_thread(self._producer.drop)

    def _raise_if_interrupted(self) -> None:
        if not self._begun:
            raise Interrupted("Publishing has not begun.")
        if self._ending is not None and self._ending.done():
            self._ending.result()
