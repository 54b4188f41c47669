"""A worker's transactions: each advances some partitions, and what it recorded is published afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.failpoint import Reached
from pipeline.flow.advance import Models, advance, wanted
from pipeline.flow.state import forget
from pipeline.flow.values import Batch
from pipeline.ledger import commit as ledger
from pipeline.ledger import customers, positions
from pipeline.ledger.commit import Entry
from pipeline.ledger.positions import Claim, Fenced
from pipeline.ledger.session import Session
from pipeline.observe.health import Health
from pipeline.observe.metrics import Metrics
from pipeline.retry import Retry
from pipeline.stream.holding import Holding
from pipeline.stream.outlet import Outlet
from pipeline.stream.owned import Owned
from pipeline.stream.publication import Publication
from pipeline.stream.records import Records
from pipeline.stream.transactions import Interrupted
from pipeline.stream.work import Part

T = TypeVar("T")

#: What was committed is published after so many seconds, if no other commit comes up by then.
_SOON_S = 0.002


class Commits:
    """Steps of partitions that this worker holds. Several may be under way at once, with different partitions each.

    `held` are the partitions. So many as `most_customers` are kept in memory, or those whom the steps under way need.
    Whoever calls a method has `turn`, and calls `tidy` when no step is under way any more.
    """

    def __init__(
        self,
        *,
        session: Session,
        models: Models | None,
        grace_ms: int,
        records: Records,
        publication: Publication,
        metrics: Metrics,
        health: Health,
        retry: Retry,
        most_customers: int,
        reached: Reached,
        collect: Callable[[], None],
    ) -> None:
        self._session, self._models, self._grace_ms = session, models, grace_ms
        self._metrics, self._retry, self._most_customers, self._reached = metrics, retry, most_customers, reached
        self._outlet = Outlet(publication, records, self.ask, retry)
        self._sending: asyncio.Task[None] | None = None
        self._under_way: set[int] = set()
        #: Looks for garbage, which takes a moment.
        self.collect = collect
        self.held = Holding(metrics, health, self._outlet.forget)
        self.turn = asyncio.Lock()

    async def step(self, parts: Sequence[Part], now_ms: int, began: float) -> None:
        """load ▶ dedupe ▶ sessionize ▶ score ▶ one transaction. `began` is when the work began, by `perf_counter`."""
        numbers = {part.owned.claim.partition for part in parts}
        self._under_way |= numbers
        try:
            await self._step(parts, now_ms, began)
        finally:
            self._under_way -= numbers
        self._forget()

    async def _step(self, parts: Sequence[Part], now_ms: int, began: float) -> None:
        missing = [wanted(part.owned.state, part.admission, part.due) for part in parts]
        if any(missing):
            everybody = {name: since for each in missing for name, since in each.items()}
            found = await self.ask(lambda c: customers.load(c, everybody))
            for part, names in zip(parts, missing, strict=True):
                part.owned.state.customers.update({name: found[name] for name in names})
        done = []
        for owned, admission, due, idle in parts:
            batch = advance(
                owned.state, admission, due=due, now_ms=now_ms, idle=idle, grace_ms=self._grace_ms, models=self._models
            )
            done.append((owned, batch))
        await self.commit(done, began)

    def _forget(self) -> None:
        """Forget customers, as many as are too many, but none of partitions whose step is under way."""
        busy = [len(owned.state.customers) for number, owned in self.held.items() if number in self._under_way]
        resting = [owned.state for number, owned in self.held.items() if number not in self._under_way]
        forget(resting, max(0, self._most_customers - sum(busy)))

    async def commit(self, done: Sequence[tuple[Owned, Batch]], began: float) -> None:
        """Commit batches of different partitions in one transaction. They are published along with the next commit, or
        soon; meanwhile, those of the commit before are.
        """
        self._reached("before_commit")
        writing = asyncio.create_task(self._write(done))
        try:
            await asyncio.sleep(0)  # until the statement is on its way
            await self._outlet.send_held()
            claims = await writing
        except Fenced:
            await self._let_go([owned.claim for owned, _ in done])
            return
        except BaseException:
            writing.cancel()
            await asyncio.wait({writing})
            for owned, _ in done:
                self.held.drop(owned.claim.partition)  # its state is ahead of the ledger
            raise
        for (owned, batch), claim in zip(done, claims, strict=True):
            owned.claim = claim
            self._outlet.hold(owned, batch)
        self._reached("after_commit")
        self._metrics.committed([batch for _, batch in done], time.perf_counter() - began)

    def send_soon(self) -> None:
        """Publish what was committed last, unless another commit does so right away. Raises what failed last time."""
        if self._sending is not None and self._sending.done():
            self._sending.result()
            self._sending = None
        if self._sending is None and self._outlet.holds:
            self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        while self._outlet.holds:
            await asyncio.sleep(_SOON_S)
            if self.turn.locked():
                continue  # a commit may be about to send it
            async with self.turn:
                await self._outlet.send_held()
                if self._outlet.interrupted:
                    await self.publish_anew()
                self._show_unpublished()

    async def _write(self, done: Sequence[tuple[Owned, Batch]]) -> list[Claim]:
        """Commit, again if need be: a connection can be lost, with the commit under way or already made."""
        entries = [Entry(owned.claim, batch, self._outlet.confirmed(owned)) for owned, batch in done]

        async def attempt(connection: AsyncConnection) -> list[Claim]:
            try:
                return await ledger.commit(connection, entries)
            except Fenced:
                return [await positions.after(connection, entry.claim) for entry in entries]

        return await self.ask(attempt)

    async def _let_go(self, claims: Sequence[Claim]) -> None:
        """Let go of partitions, at least one of which somebody else has taken; the others are soon taken again."""
        for claim in claims:
            try:
                await self.ask(partial(positions.current, claim=claim))
            except Fenced:
                self.held.fenced_off(claim.partition)
            else:
                self.held.drop(claim.partition)  # its state is ahead of the ledger

    async def tidy(self) -> None:
        """What has to wait until no commit is under way."""
        if self._outlet.interrupted:
            await self.publish_anew()
        self.send_soon()
        self._show_unpublished()
        self.collect()

    async def settle(self) -> None:
        """Wait until all is published, and say so in the ledger."""
        try:
            await self._outlet.settle()
        except Interrupted:
            await self.publish_anew()
        await self._strike_off()
        self._show_unpublished()

    async def _strike_off(self) -> None:
        """Drop the outbox rows of what is published, where no batch does so on its way."""
        for number, owned in self.held.items():
            if confirmed := self._outlet.confirmed(owned):
                await self.ask(partial(ledger.clear_outbox, claim=owned.claim, published=confirmed))
                self._outlet.forget(number)

    async def publish_anew(self) -> None:
        """After an interruption, publish what the ledger says is missing."""
        await self.take_over([], set())

    async def take_over(self, fresh: list[Owned], others: set[str]) -> None:
        """Go on publishing where earlier owners of `fresh` partitions stopped; `others` may still be at it."""
        for number in await self._outlet.take_over(self.held.values(), fresh, others):
            self.held.fenced_off(number)

    def _show_unpublished(self) -> None:
        for owned in self.held.values():
            self._outlet.confirmed(owned)
        self._metrics.unpublished.set(sum(sum(o.unpublished.values()) for o in self.held.values()))

    @property
    def interrupted(self) -> bool:
        """Whether publishing has to begin anew before anything can be published."""
        return self._outlet.interrupted

    async def close(self) -> None:
        """Wait until what was published is confirmed, say so in the ledger, and let go of it."""
        with contextlib.suppress(Interrupted):
            await self._outlet.settle()
            await self._strike_off()
        await self._outlet.close()
        self.held.clear()
        await self._session.close()

    async def ask(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Ask the ledger, again if it is away for a moment."""
        return await self._retry.run("database", lambda: self._session.run(work))
