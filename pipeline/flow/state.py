"""What a worker keeps of a partition between batches: a bounded part of what the ledger holds."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice, takewhile
from typing import Any

from pipeline.journey.journey import Journey

#: Number of a customer's journeys that are kept, the latest ones; a late touchpoint loads older ones again.
_JOURNEYS_KEPT = 2


class Customer:
    """What is known of a customer. Times are epoch milliseconds.

    `journeys` are all of them that reach `known_from` or later, in order of time. `scores` has the state of each score
    by its table's name. `touched_at` is when a batch last touched the customer, by the clock.
    """

    __slots__ = ("journeys", "key", "known_from", "scores", "touched_at")

    def __init__(self, key: str, known_from: int) -> None:
        self.key = key
        self.known_from = known_from
        self.journeys: list[Journey] = []
        self.scores: dict[str, Any] = {}
        self.touched_at = 0

    @property
    def last_seen_at(self) -> int:
        """Return the time of the latest touchpoint; the journey that starts last also ends last."""
        return self.journeys[-1].ended_at if self.journeys else 0

    def forget_old_journeys(self) -> None:
        """Keep the latest journeys only."""
        if len(self.journeys) > _JOURNEYS_KEPT:
            self.known_from = self.journeys[-_JOURNEYS_KEPT - 1].covers_until + 1
            del self.journeys[:-_JOURNEYS_KEPT]


class Partition:
    """The state of an assigned partition: how far it is, and its customers, the longest untouched first.

    `next_offset` and `watermark` are those after the last batch that was made; `watermark` is in epoch milliseconds, 0
    before the first event.
    """

    def __init__(self, number: int, next_offset: int, watermark: int) -> None:
        self.number = number
        self.next_offset = next_offset
        self.watermark = watermark
        self.customers: dict[str, Customer] = {}

    @property
    def untouched_since(self) -> int:
        """Return when the customer who was not touched for longest was touched; there must be one."""
        return next(iter(self.customers.values())).touched_at

    def touch(self, customers: Iterable[Customer], now_ms: int) -> None:
        """Note which customers a batch has touched, and forget their old journeys."""
        kept = self.customers
        for customer in customers:
            customer.forget_old_journeys()
            customer.touched_at = now_ms
            kept[customer.key] = kept.pop(customer.key)

    def forget_stalest(self, limit: int) -> int:
        """Forget the customers that were touched longest ago, by the same batch; return how many, up to `limit`."""
        since = self.untouched_since
        front = islice(self.customers.items(), limit)
        stalest = [key for key, _ in takewhile(lambda item: item[1].touched_at <= since, front)]
        for key in stalest:
            del self.customers[key]
        return len(stalest)


def forget_customers(partitions: Iterable[Partition], max_customers: int) -> None:
    """Forget the customers that were not touched for longest, until `max_customers` are left over all partitions.

    There is one bound for all partitions, so that a busy one can use the room of quiet ones.
    """
    holding = [partition for partition in partitions if partition.customers]
    excess = sum([len(partition.customers) for partition in holding]) - max_customers
    while excess > 0:
        stalest = min(holding, key=lambda partition: partition.untouched_since)
        excess -= stalest.forget_stalest(excess)
        if not stalest.customers:
            holding.remove(stalest)
