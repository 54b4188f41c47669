"""Committing: admitted slices become batches, each group of them one transaction, which is then published."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from pipeline.failpoint import Reached
from pipeline.flow.advance import advance, customers_to_load
from pipeline.flow.state import forget_customers
from pipeline.flow.values import AdmittedSlice, Batch
from pipeline.ledger.commit import Commit
from pipeline.ledger.positions import Fenced
from pipeline.ledger.protocol import Ledger
from pipeline.observe.metrics import Metrics
from pipeline.processing.assignment import AssignedPartitions
from pipeline.publishing.outbox import OutboxPublisher
from pipeline.scores.protocol import ActiveScore


class Committer:
    """Makes batches of assigned partitions and commits them. `Worker` holds the lock under which it is used.

    Several commits may be under way at once, with different partitions each. Up to `max_customers` are kept in
    memory, or those that the commits under way need.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        assigned: AssignedPartitions,
        outbox: OutboxPublisher,
        scores: Sequence[ActiveScore],
        grace_ms: int,
        max_customers: int,
        metrics: Metrics,
        reached: Reached,
    ) -> None:
        self._ledger, self._assigned, self._outbox = ledger, assigned, outbox
        self._scores, self._grace_ms, self._max_customers = scores, grace_ms, max_customers
        self._metrics, self._reached = metrics, reached
        self._under_way: set[int] = set()

    async def advance(self, slices: Sequence[AdmittedSlice], now_ms: int, began: float) -> None:
        """load ▶ advance ▶ commit: process admitted slices of different partitions in one transaction.

        `now_ms` is the clock; `began` is when the work on the slices began, by `perf_counter`.
        """
        numbers = {each.partition for each in slices}
        self._under_way |= numbers
        try:
            await self._load_customers(slices)
            batches = [
                advance(
                    self._assigned[each.partition].state,
                    each,
                    now_ms=now_ms,
                    grace_ms=self._grace_ms,
                    scores=self._scores,
                )
                for each in slices
            ]
            await self.commit(batches, began)
        finally:
            self._under_way -= numbers
        self._forget_customers()

    async def _load_customers(self, slices: Sequence[AdmittedSlice]) -> None:
        missing = [customers_to_load(self._assigned[each.partition].state, each) for each in slices]
        if any(missing):
            loaded = await self._ledger.load_customers({name: at for names in missing for name, at in names.items()})
            for each, names in zip(slices, missing, strict=True):
                customers = self._assigned[each.partition].state.customers
                customers.update({name: loaded[name] for name in names})

    def _forget_customers(self) -> None:
        """Forget the excess of customers, except those of partitions whose commit is under way."""
        busy = [len(each.state.customers) for number, each in self._assigned.items() if number in self._under_way]
        resting = [each.state for number, each in self._assigned.items() if number not in self._under_way]
        forget_customers(resting, max(0, self._max_customers - sum(busy)))

    async def commit(self, batches: Sequence[Batch], began: float) -> None:
        """Commit batches of different partitions in one transaction.

        They are published along with the next commit, or soon. While this one is under way in the ledger, those of the
        commit before are published.
        """
        self._reached("before_commit")
        commits = [self._pending(batch) for batch in batches]
        writing = asyncio.create_task(self._ledger.commit(commits))
        try:
            await asyncio.sleep(0)  # until the statement is on its way
            await self._outbox.send_held()
            positions = await writing
        except Fenced:
            await self._drop_all(commits)
            return
        except BaseException:
            writing.cancel()
            await asyncio.wait({writing})
            for batch in batches:
                self._assigned.drop(batch.partition)  # its state is ahead of the ledger
            raise
        for position, batch in zip(positions, batches, strict=True):
            self._assigned[batch.partition].position = position
            self._outbox.hold(position, batch)
        self._reached("after_commit")
        self._metrics.committed(batches, time.perf_counter() - began)

    def _pending(self, batch: Batch) -> Commit:
        position = self._assigned[batch.partition].position
        return Commit(position, batch, self._outbox.confirmed(batch.partition))

    async def _drop_all(self, commits: Sequence[Commit]) -> None:
        """Drop partitions of which another worker has taken at least one; the others are soon taken again."""
        for commit in commits:
            number = commit.position.partition
            try:
                await self._ledger.current_position(commit.position)
            except Fenced:
                self._assigned.drop_fenced(number)
            else:
                self._assigned.drop(number)  # its state is ahead of the ledger
