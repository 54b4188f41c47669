"""Publishing after committing: what the ledger has recorded goes out in order, exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable
from itertools import islice

import structlog

from pipeline.ledger.positions import Claim
from pipeline.stream.records import Outgoing
from pipeline.stream.transactions import Interrupted, Transactions

log = structlog.get_logger()

#: A Kafka transaction costs broker and worker several milliseconds: no more than one in this time.
_EVERY_S = 0.1
#: While one ends, so many records wait for the next one; then processing waits, too.
_MOST_WAITING = 50_000
_AT_ONCE = 1_000


class Publication:
    """Gathers the records of commits into transactions, and ends these in the background.

    After Interrupted nothing goes on before `begin`; what the topics then lack is in the ledger's outbox.
    """

    def __init__(self, transactions: Transactions, instance: str) -> None:
        self._transactions, self._instance = transactions, instance
        self._ending: asyncio.Task[None] | None = None
        self._turn, self._beginning = asyncio.Lock(), asyncio.Lock()
        self._hurry = asyncio.Event()
        self._ended_at = 0.0
        self._begun = False
        self._interruption: Interrupted | None = None
        self._reset()

    def _reset(self) -> None:
        self._closing = False
        self._marks: dict[int, Claim] = {}
        self._waiting: list[tuple[Claim, list[Outgoing]]] = []
        self._confirmed: dict[int, int] = {}

    async def ready(self) -> bool:
        """End what is open, or begin (anew); whether it began anew, so that the outbox is to be read.

        Raises Unavailable when the broker does not answer.
        """
        async with self._beginning:
            if self._begun:
                try:
                    await self.settle()
                    return False
                except Interrupted as why:
                    self._begun, self._interruption = False, why
            if self._interruption is not None:
                log.warning("publishing was interrupted, beginning anew", why=str(self._interruption))
                self._interruption = None
            await self._abandon()
            await asyncio.to_thread(self._transactions.begin, self._instance)
            self._begun = True
            return True

    async def fence(self, instances: Iterable[str]) -> None:
        """Make sure that other workers can't publish any more what they have under way. Raises Unavailable."""
        await asyncio.gather(*(asyncio.to_thread(self._transactions.fence, instance) for instance in instances))

    async def published(self, claims: Iterable[Claim]) -> dict[int, int]:
        """Partition → number of the commit up to which all is published; to be asked when nothing is open."""
        self._confirmed |= (found := await asyncio.to_thread(self._transactions.published, claims))
        return found

    async def send(self, claim: Claim, records: Iterable[Outgoing]) -> None:
        """Publish what the commit `claim.commits` recorded; returns when it is handed over. Raises Interrupted."""
        self._raise_if_interrupted()
        async with self._turn:
            if self._closing:
                self._waiting.append((claim, list(records)))
            else:
                try:
                    await self._put(claim, records)
                except Interrupted as why:
                    # The open transaction may hold some of the records, so that it must not be committed either.
                    self._begun, self._interruption = False, why
                    raise
                if self._ending is None or self._ending.done():
                    self._ending = asyncio.create_task(self._end())
        if sum(len(waiting) for _, waiting in self._waiting) > _MOST_WAITING:
            await self.settle()

    async def settle(self) -> None:
        """Wait until all that was sent is published. Raises Interrupted."""
        if self._ending is not None and not self._ending.done():
            self._hurry.set()
            await asyncio.wait({self._ending})
        self._raise_if_interrupted()

    @property
    def interrupted(self) -> bool:
        """Whether it has to begin anew."""
        ending = self._ending
        failed = ending is not None and ending.done() and not ending.cancelled() and ending.exception() is not None
        return failed or not self._begun

    def confirmed(self, partition: int) -> int:
        """The number of the partition's last commit whose records are all published; 0 for none."""
        return self._confirmed.get(partition, 0)

    def forget(self, partition: int) -> None:
        """The partition is no longer ours, or its confirmed commits are noted in the ledger."""
        self._confirmed.pop(partition, None)

    async def close(self) -> None:
        """Let go of the producer; what is not settled is left to the next worker."""
        await self._abandon()
        self._begun = False

    async def _end(self) -> None:
        """End the open transaction when its time has come, then the one with what came in meanwhile."""
        while self._marks:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + self._pause_s()):
                    await self._hurry.wait()
            async with self._turn:
                self._raise_if_interrupted()
                self._closing = True
                marks, self._marks = self._marks, {}
            await asyncio.to_thread(self._transactions.end, marks)
            self._confirmed |= {number: claim.commits for number, claim in marks.items()}
            self._ended_at = time.monotonic()
            async with self._turn:
                waiting, self._waiting = self._waiting, []
                for claim, records in waiting:
                    await self._put(claim, records)
                self._closing = False
        self._hurry.clear()

    def _pause_s(self) -> float:
        return max(0.0, self._ended_at + _EVERY_S - time.monotonic())

    async def _put(self, claim: Claim, records: Iterable[Outgoing]) -> None:
        waiting = iter(records)
        while some := list(islice(waiting, _AT_ONCE)):
            rest: Iterable[Outgoing] = some
            while rest := self._transactions.put(rest):
                await asyncio.to_thread(self._transactions.make_room)
            await asyncio.sleep(0)  # let others have a turn
        self._marks[claim.partition] = claim

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
        await asyncio.to_thread(self._transactions.drop)

    def _raise_if_interrupted(self) -> None:
        if not self._begun:
            raise Interrupted("Publishing has not begun.")
        if self._ending is not None and self._ending.done():
            self._ending.result()
