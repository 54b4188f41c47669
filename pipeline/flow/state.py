"""What a worker keeps of a partition between batches: a bounded part of what the ledger holds."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice, takewhile

from pipeline.journey.journey import Journey
from pipeline.satisfaction.estimate import Answers

#: A customer's journeys beyond so many are forgotten, the oldest first; what comes late is loaded again.
_JOURNEYS_KEPT = 2


class Customer:
    """What is known of a customer. Times in epoch milliseconds.

    `journeys` are all of them that reach `known_from` or later, in order of time; `visits` counts all, also older ones,
    that hold a touchpoint which the customer began, and `first_active_at` and `last_active_at` are the first and last
    such touchpoint. `risk_as_of` is the moment of the churn risk that was last told, `touched_at` is when a batch last
    touched the customer, by the clock.
    """

    __slots__ = (
        "account_closed_at", "answers", "first_active_at", "journeys", "key", "known_from", "last_active_at",
        "risk_as_of", "touched_at", "visits",
    )  # fmt: skip

    def __init__(self, key: str, known_from: int) -> None:
        self.key = key
        self.known_from = known_from
        self.journeys: list[Journey] = []
        self.answers: Answers | None = None
        self.visits = 0
        self.first_active_at = 0
        self.last_active_at = 0
        self.account_closed_at: int | None = None
        self.risk_as_of = 0
        self.touched_at = 0

    @property
    def last_seen_at(self) -> int:
        """occurred_at of the latest touchpoint; the last journey by its start is also the last by its end."""
        return self.journeys[-1].ended_at if self.journeys else 0

    def was_active(self, at: int) -> None:
        """Note a touchpoint that the customer began; it has been counted into `visits` before."""
        if not self.first_active_at:
            self.first_active_at = self.last_active_at = at
        elif at < self.first_active_at:
            self.first_active_at = at
        elif at > self.last_active_at:
            self.last_active_at = at

    def closed_account(self, at: int) -> None:
        """Note that the customer closed the account; the last time counts."""
        if self.account_closed_at is None or at > self.account_closed_at:
            self.account_closed_at = at

    def forget_old(self) -> None:
        """Keep the latest journeys only."""
        if len(self.journeys) > _JOURNEYS_KEPT:
            self.known_from = self.journeys[-_JOURNEYS_KEPT - 1].covers_until + 1
            del self.journeys[:-_JOURNEYS_KEPT]


class Partition:
    """A partition that this worker owns: how far it is, and its customers, the longest untouched first.

    `next_offset` and `watermark` are those of the last batch that was made; `watermark` in epoch milliseconds, 0
    before the first event.
    """

    def __init__(self, number: int, next_offset: int, watermark: int) -> None:
        self.number = number
        self.next_offset = next_offset
        self.watermark = watermark
        self.customers: dict[str, Customer] = {}

    @property
    def untouched_since(self) -> int:
        """When the customer who has not been touched for longest was touched; there must be one."""
        return next(iter(self.customers.values())).touched_at

    def touch(self, touched: Iterable[Customer], now_ms: int) -> None:
        """Note whom a batch has touched."""
        customers = self.customers
        for customer in touched:
            customer.forget_old()
            customer.touched_at = now_ms
            customers[customer.key] = customers.pop(customer.key)

    def forget_stalest(self, most: int) -> int:
        """Forget customers whom the same batch touched, longest ago; how many, `most` at the most."""
        since = self.untouched_since
        front = islice(self.customers.items(), most)
        gone = [key for key, _ in takewhile(lambda item: item[1].touched_at <= since, front)]
        for key in gone:
            del self.customers[key]
        return len(gone)


def forget(partitions: Iterable[Partition], most_customers: int) -> None:
    """Keep so many customers over all partitions, and forget whom no batch has touched for longest.

    One bound for all: where one partition is busy, its customers have the room of those of quiet ones.
    """
    holding = [partition for partition in partitions if partition.customers]
    excess = sum([len(partition.customers) for partition in holding]) - most_customers
    while excess > 0:
        stalest = min(holding, key=lambda partition: partition.untouched_since)
        excess -= stalest.forget_stalest(excess)
        if not stalest.customers:
            holding.remove(stalest)
