"""What leaves a worker: each commit's records, and after an interruption what the ledger says is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from itertools import chain
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.flow.values import Batch
from pipeline.ledger import outbox, positions
from pipeline.ledger.outbox import Unpublished
from pipeline.ledger.positions import Claim, Fenced
from pipeline.retry import Retry
from pipeline.stream.owned import Owned
from pipeline.stream.publication import Publication
from pipeline.stream.records import Outgoing, Records, dead_letter, dead_letters, forwards
from pipeline.stream.transactions import Interrupted
from pipeline.topics import TOUCHPOINTS

log = structlog.get_logger()
Ask = Callable[[Callable[[AsyncConnection], Awaitable[Any]]], Awaitable[Any]]


class Unpublishable(RuntimeError):
    """What was committed breaks the publishing of it: a mistake of ours, which no record of a later slice can mend."""


class Outlet:
    """Publishes for a worker. `ask` runs work on the ledger.

    That nothing is published twice rests on an order: a worker takes a partition in the ledger, then ends the
    transactions of whoever had it, then reads how far it is published. And one whose transaction was ended begins anew
    before it looks whether the partition is still its own.
    """

    def __init__(self, publication: Publication, records: Records, ask: Ask, retry: Retry) -> None:
        self._publication, self._records, self._ask, self._retry = publication, records, ask, retry
        self._held: list[tuple[Claim, Batch]] = []
        self._turn = asyncio.Lock()

    async def take_over(self, everything: Iterable[Owned], fresh: Iterable[Owned], others: set[str]) -> set[int]:
        """Go on where earlier owners stopped, on `fresh` partitions or, after an interruption, on all.

        `others` are the workers that may still be publishing. Returns partitions that somebody else has taken since.
        """
        await self.send_held()
        wanted = {owned.claim.partition: owned for owned in everything}
        new = {owned.claim.partition for owned in fresh}
        lost: set[int] = set()

        async def attempt() -> None:
            if await self._publication.ready():
                new.update(wanted)
            await self._publication.fence(others)
            for number in sorted(new - lost):
                try:
                    await self._ask(partial(positions.current, claim=wanted[number].claim))
                except Fenced:
                    lost.add(number)
            going_on = [wanted[number] for number in sorted(new - lost)]
            claims = [owned.claim for owned in going_on]
            published = await self._publication.published(claims) if claims else {}
            for owned in going_on:
                await self._send_rest(owned, published[owned.claim.partition])
            await self._ask(partial(positions.alone, topic=TOUCHPOINTS, claims=claims))

        await self._retry.run("broker", attempt)
        return lost

    def hold(self, owned: Owned, batch: Batch) -> None:
        """Take what a commit of the partition has recorded; `send_held` publishes it."""
        owned.unpublished[owned.claim.commits] = len(batch.journeys)
        self._held.append((owned.claim, batch))

    @property
    def holds(self) -> bool:
        """Whether there is anything for `send_held`."""
        return bool(self._held)

    async def send_held(self) -> None:
        """Publish what is held. When that is interrupted, `take_over` publishes the rest of it from the ledger.

        Raises Unpublishable.
        """
        async with self._turn:
            held, self._held = self._held, []
            try:
                for claim, batch in held:
                    letters = dead_letters(batch.refused, batch.partition)
                    await self._publication.send(claim, self._outgoing(batch, letters))
            except Interrupted:
                return
            except Exception as error:
                raise Unpublishable("What was committed can't be published") from error

    async def _send_rest(self, owned: Owned, published: int) -> None:
        """Send what was committed after commit `published`, as the tables have it by now."""
        rest = await self._ask(partial(outbox.unpublished, claim=owned.claim, published=published))
        owned.unpublished.clear()
        if rest is None:
            return
        number = owned.claim.partition
        log.info("publishing what was committed before", partition=number, journeys=len(rest.journeys))
        owned.unpublished[rest.commit] = len(rest.journeys)
        letters = (dead_letter(r.key, r.value, r.headers, r.reason, r.detail, number, r.offset) for r in rest.refused)
        await self._publication.send(owned.claim, self._outgoing(rest, letters))

    def _outgoing(self, what: Batch | Unpublished, letters: Iterable[Outgoing]) -> Iterable[Outgoing]:
        return chain(
            self._records.journeys(what.journeys),
            self._records.satisfaction(what.satisfaction),
            self._records.churn(what.churn),
            letters,
            forwards(what.forwarded),
        )

    @property
    def interrupted(self) -> bool:
        """Whether `take_over` has to be called before anything can be sent."""
        return self._publication.interrupted

    async def settle(self) -> None:
        """Publish what is held, and wait until all is published. Raises Interrupted."""
        await self.send_held()
        await self._publication.settle()

    def confirmed(self, owned: Owned) -> int:
        """The number of the partition's last commit that is published; strikes off what is."""
        confirmed = self._publication.confirmed(owned.claim.partition)
        for commit in [commit for commit in owned.unpublished if commit <= confirmed]:
            del owned.unpublished[commit]
        return confirmed

    def forget(self, partition: int) -> None:
        """The partition is no longer ours, or what is confirmed is noted in the ledger."""
        self._publication.forget(partition)

    async def close(self) -> None:
        """Let go of the producer; what is not settled is left to the next worker."""
        self._held.clear()
        await self._publication.close()
