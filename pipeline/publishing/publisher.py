"""What the outbox publisher asks of what it publishes with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from pipeline.errors import Unavailable
from pipeline.ledger.positions import Position
from pipeline.publishing.records import OutgoingRecord


class Interrupted(Unavailable):
    """The transaction is void, and everything in it: another worker has fenced this one off, or the broker ended it."""


class RecordPublisher(Protocol):
    """Publishes the records of commits in transactions, each commit's once, those of a partition in their order.

    Records become visible together with the mark that says which commit of the ledger they belong to. After Interrupted
    nothing goes on before `ready` begins anew; what the topics then lack is in the ledger's outbox.
    `kafka_publisher.KafkaPublisher` is the real one, `memory.MemoryPublisher` keeps the same contract in memory.
    """

    async def ready(self) -> bool:
        """Wait until what was sent is published, or begin (anew).

        Returns whether it began anew, so that the outbox has to be read. Raises Unavailable when the broker does not
        answer.
        """

    async def fence(self, instances: Iterable[str]) -> None:
        """End what other workers are publishing; they have to begin anew. Raises Unavailable."""

    async def published(self, positions: Iterable[Position]) -> dict[int, int]:
        """Return for each partition the number of the commit up to which all is published; 0 for none of this ledger.

        To be asked when nothing is under way. Raises Unavailable.
        """

    async def send(self, position: Position, records: Iterable[OutgoingRecord]) -> None:
        """Publish the records of the commit that led to `position`; return when they are handed over.

        Raises Interrupted.
        """

    async def settle(self) -> None:
        """Wait until everything that was sent is published. Raises Interrupted."""

    @property
    def interrupted(self) -> bool:
        """Return whether it has to begin anew."""

    def confirmed(self, partition: int) -> int:
        """Return the number of the partition's last commit whose records are all published; 0 for none."""

    def forget(self, partition: int) -> None:
        """Forget what is confirmed of a partition."""

    async def close(self) -> None:
        """Let go of the connection; what is not settled is left to the next worker."""
