"""The outbox publisher: each commit's records, and after an interruption what the ledger says is missing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence

import structlog

from pipeline.errors import Unavailable
from pipeline.flow.identity_effects import DirectMessage
from pipeline.flow.values import Batch
from pipeline.ledger.positions import Fenced, Position
from pipeline.ledger.protocol import Ledger
from pipeline.publishing.publisher import Interrupted, RecordPublisher
from pipeline.publishing.records import RecordSerializer
from pipeline.retry import Retry

log = structlog.get_logger(__name__)

#: Seconds for which a broker that knows of less than was published is asked again: one that has just started.
_COORDINATOR_LOADS_S = 20.0


class Unpublishable(RuntimeError):
    """Publishing what was committed fails: a mistake of the pipeline's, which refusing a record cannot mend."""


class OutboxPublisher:
    """Publishes what a worker commits.

    That nothing is published twice rests on an order: a worker takes a partition in the ledger, then ends the
    transactions of the earlier owners, then reads up to which commit it is published. A worker whose transaction was
    ended begins anew before it looks whether the partition is still its own.
    """

    def __init__(self, publisher: RecordPublisher, serializer: RecordSerializer, ledger: Ledger, retry: Retry) -> None:
        self._publisher, self._serializer, self._ledger, self._retry = publisher, serializer, ledger, retry
        self._held: list[tuple[Position, Batch]] = []
        #: partition → commits that wait, the first of them for its direct messages to be delivered
        self._undelivered: dict[int, list[tuple[Position, Batch]]] = {}
        self._sending = asyncio.Lock()
        #: partition → numbers of commits that are not known to be published
        self._unpublished: dict[int, set[int]] = {}

    async def take_over(self, assigned: Mapping[int, Position], fresh: Iterable[int], others: set[str]) -> set[int]:
        """Publish what was committed and not published, on `fresh` partitions; after an interruption, on all.

        `others` are the workers that may still be publishing. Returns partitions that another worker has taken since.
        """
        await self.send_held()
        to_publish = set(fresh)
        lost: set[int] = set()
        # Beginning anew forgets what is confirmed.
        certain = {number: self.confirmed(number) for number in assigned.keys() - to_publish}
        believed_from = time.monotonic() + _COORDINATOR_LOADS_S

        async def attempt() -> None:
            if await self._publisher.ready():
                to_publish.update(assigned)
            await self._publisher.fence(others)
            for number in sorted(to_publish - lost):
                try:
                    await self._ledger.current_position(assigned[number])
                except Fenced:
                    lost.add(number)
            positions = [assigned[number] for number in sorted(to_publish - lost)]
            published = await self._published(positions, certain, believed_from) if positions else {}
            for position in positions:
                await self._send_rest(position, published[position.partition])
            await self._ledger.set_sole_publisher(positions)

        await self._retry.run("publishing", attempt)
        return lost

    async def _published(
        self, positions: Sequence[Position], certain: Mapping[int, int], believed_from: float
    ) -> dict[int, int]:
        """Return up to which commit each partition is published, at least what is `certain`.

        The broker's group coordinator can answer before it has read its log (docs/operations.md). Until `believed_from`
        (monotonic seconds), an answer that knows of less than was published is not believed: it raises Unavailable.
        """
        told = await self._publisher.published(positions)
        doubtful = []
        for position in positions:
            number = position.partition
            if told[number] < certain.get(number, 0) or (told[number] == 0 and await self._has_published(position)):
                doubtful.append(number)
        if doubtful and time.monotonic() < believed_from:
            raise Unavailable(f"Kafka does not know yet what was published of partitions {doubtful}.")
        if doubtful:
            log.warning("Kafka has forgotten what was published", partitions=doubtful)
        return {number: max(commit, certain.get(number, 0)) for number, commit in told.items()}

    async def _has_published(self, position: Position) -> bool:
        """Return whether outbox rows of earlier commits were deleted, which happens once they are published."""
        first = await self._ledger.first_unpublished(position)
        return first is not None and first > 1

    def hold(self, position: Position, batch: Batch) -> None:
        """Take the batch of the commit that led to `position`; `send_held` publishes it.

        A batch with direct messages, and those after it, wait until `delivered` or `deliver_by_topic` is called.
        """
        number = position.partition
        self._unpublished.setdefault(number, set()).add(position.commits)
        if number in self._undelivered:
            self._undelivered[number].append((position, batch))
        elif batch.identity is not None and batch.identity.direct:
            self._undelivered[number] = [(position, batch)]
        else:
            self._held.append((position, batch))

    @property
    def undelivered(self) -> Mapping[int, Sequence[DirectMessage]]:
        """Return, by the partition that tells them, the direct messages that are to be delivered."""
        return {
            number: [message for _, batch in waiting if batch.identity is not None for message in batch.identity.direct]
            for number, waiting in self._undelivered.items()
        }

    def undelivered_since(self, partition: int) -> int:
        """Return the number of the partition's first commit with direct messages that are to be delivered."""
        return self._undelivered[partition][0][0].commits

    def delivered(self, partition: int) -> None:
        """Note that a commit has delivered the direct messages of a partition: the rest of its batches is published."""
        self._held += self._undelivered.pop(partition)

    def deliver_by_topic(self, partition: int) -> None:
        """Publish the direct messages of a partition, if there are any, as records of the exchange topic."""
        self._held += [(position, _by_topic(batch)) for position, batch in self._undelivered.pop(partition, ())]

    @property
    def has_held(self) -> bool:
        """Return whether there is anything for `send_held`."""
        return bool(self._held)

    async def send_held(self) -> None:
        """Publish what is held. If that is interrupted, `take_over` publishes the rest of it from the ledger.

        Raises Unpublishable.
        """
        async with self._sending:
            held, self._held = self._held, []
            try:
                for position, batch in held:
                    await self._publisher.send(position, self._serializer.of_batch(batch))
            except Interrupted:
                return
            except Exception as error:
                raise Unpublishable("What was committed can't be published") from error

    async def _send_rest(self, position: Position, published: int) -> None:
        """Send what was committed after commit number `published`, as the tables have it by now."""
        self._unpublished[position.partition] = set()
        self._undelivered.pop(position.partition, None)
        while (rest := await self._ledger.load_unpublished(position, published)) is not None:
            log.info("publishing what was committed before", partition=position.partition, journeys=len(rest.journeys))
            published = rest.commit
            self._unpublished[position.partition].add(published)
            records = self._serializer.of_unpublished(rest, position.partition)
            await self._publisher.send(position._replace(commits=published), records)

    @property
    def is_interrupted(self) -> bool:
        """Return whether `take_over` has to be called before anything can be sent."""
        return self._publisher.interrupted

    async def settle(self) -> None:
        """Publish what is held, and wait until all is published. Raises Interrupted."""
        await self.send_held()
        await self._publisher.settle()

    def confirmed(self, partition: int) -> int:
        """Return the number of the partition's last commit that is known to be published; 0 for none."""
        confirmed = self._publisher.confirmed(partition)
        unpublished = self._unpublished.get(partition)
        if unpublished:
            self._unpublished[partition] = {commit for commit in unpublished if commit > confirmed}
        return confirmed

    @property
    def has_unpublished(self) -> bool:
        """Return whether there are commits that are not known to be published."""
        for partition in list(self._unpublished):
            self.confirmed(partition)
        return any(self._unpublished.values())

    async def clear(self, positions: Iterable[Position]) -> None:
        """Delete the outbox rows of what is published, where no batch does so on its way."""
        for position in positions:
            if confirmed := self.confirmed(position.partition):
                await self._ledger.clear_outbox(position, confirmed)
                self._publisher.forget(position.partition)

    def forget(self, partition: int) -> None:
        """Forget a partition that is no longer assigned."""
        self._unpublished.pop(partition, None)
        self._undelivered.pop(partition, None)
        self._publisher.forget(partition)

    async def close(self) -> None:
        """Let go of the producer; what is not settled is left to the next worker."""
        self._held.clear()
        self._undelivered.clear()
        await self._publisher.close()


def _by_topic(batch: Batch) -> Batch:
    identity = batch.identity
    if identity is None:
        return batch
    records = [*identity.records, *[record for message in identity.direct for record in message.records]]
    return batch._replace(identity=identity._replace(records=records, direct=()))
