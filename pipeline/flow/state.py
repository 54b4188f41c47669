"""What a worker keeps of a partition between batches: a bounded part of what the ledger holds."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice, takewhile
from typing import Any

from pipeline.flow.identity_rows import RestatementRow
from pipeline.identity.correction_log import CorrectionLog
from pipeline.identity.key_identity import KeyIdentity
from pipeline.identity.segments import BEGINNING, END
from pipeline.journey.journey import Journey
from pipeline.topics import EXCHANGE

#: Before the time of each touchpoint.
NO_ASIDE = BEGINNING - 1
#: Number of a customer's journeys that are loaded where the latest are wanted; most customers have no more than that.
LATEST = 3
#: Number of a customer's journeys that are kept, the latest ones; a late touchpoint loads older ones again.
_JOURNEYS_KEPT = 2


class Customer:
    """What is known of a customer. Times are epoch milliseconds.

    `journeys` are in order of time: all of them that reach `known_from` or later, and earlier ones that were needed for
    something. `scores` has the state of each score by its table's name. `touched_at` is when a batch last touched the
    customer, by the clock. `identity` is what is known of whose the key is, if anything. No touchpoint that the
    journeys don't show is later than `aside_until`, which is `NO_ASIDE` if there is none. `has_foreign` says that they
    show some by other keys.
    """

    __slots__ = ("aside_until", "has_foreign", "identity", "journeys", "key", "known_from", "scores", "touched_at")

    def __init__(self, key: str, known_from: int) -> None:
        self.key = key
        self.known_from = known_from
        self.journeys: list[Journey] = []
        self.scores: dict[str, Any] = {}
        self.touched_at = 0
        self.identity: KeyIdentity | None = None
        self.aside_until = NO_ASIDE
        self.has_foreign = False

    def note_loaded(self) -> None:
        """Note from when on journeys are known, once those that were wanted from `known_from` on are loaded.

        Where the latest were wanted (`END`) and there are fewer, or where there are none, all are known.
        """
        if not self.journeys or (self.known_from == END and len(self.journeys) < LATEST):
            self.known_from = BEGINNING
        else:
            self.known_from = min(self.known_from, self.journeys[0].started_at)

    @property
    def is_empty(self) -> bool:
        """Return whether it is certain that no journey has a touchpoint."""
        return not self.journeys and self.known_from <= BEGINNING

    @property
    def has_aside(self) -> bool:
        """Return whether there are touchpoints that the journeys don't show."""
        return self.aside_until > NO_ASIDE

    def put_aside(self, at: int) -> None:
        """Note that there is a touchpoint of this time that the journeys don't show."""
        self.aside_until = max(self.aside_until, at)

    def has_none_since(self, at: int) -> bool:
        """Return whether it is certain that there are no touchpoints at this time or later, shown or not."""
        return self.knows_last and self.last_seen_at < at and self.aside_until < at

    @property
    def is_joined(self) -> bool:
        """Return whether touchpoints of other keys, or other holders of its own, have to be thought of."""
        return self.identity is not None or self.has_aside or self.has_foreign

    @property
    def last_seen_at(self) -> int:
        """Return the time of the latest touchpoint; the journey that starts last also ends last."""
        return self.journeys[-1].ended_at if self.journeys else 0

    @property
    def knows_last(self) -> bool:
        """Return whether the latest journey is known; it is not once those that reached `known_from` are gone."""
        if self.journeys and self.journeys[-1].covers_until >= self.known_from:
            return True
        return self.known_from <= BEGINNING

    def add_known(self, journeys: Iterable[Journey]) -> None:
        """Add journeys that were just loaded; those that are there already stay as they are."""
        there = {journey.journey_id: journey for journey in (*journeys, *self.journeys)}
        self.journeys = sorted(there.values(), key=_started_at)
        self.has_foreign |= any(step.via is not None for journey in self.journeys for step in journey.steps)

    def forget_old_journeys(self) -> None:
        """Keep the latest journeys only."""
        if len(self.journeys) > _JOURNEYS_KEPT:
            self.known_from = max(self.known_from, self.journeys[-_JOURNEYS_KEPT - 1].covers_until + 1)
            del self.journeys[:-_JOURNEYS_KEPT]


class Partition:
    """The state of an assigned partition: how far it is, and its customers, the longest untouched first.

    `next_offset`, `next_exchange_offset` and `watermark` are those after the last batch that was made; `watermark` is
    in epoch milliseconds, 0 before the first event. `batches` counts the batches. `log` has the corrections that can
    concern any key, `restatements` what is to be restated, by key.
    """

    def __init__(
        self, number: int, next_offset: int, watermark: int, next_exchange_offset: int = 0, batches: int = 0
    ) -> None:
        self.number = number
        self.next_offset = next_offset
        self.next_exchange_offset = next_exchange_offset
        self.watermark = watermark
        self.batches = batches
        self.customers: dict[str, Customer] = {}
        self.log = CorrectionLog()
        self.restatements: dict[str, RestatementRow] = {}

    def next_offset_of(self, topic: str) -> int:
        """Return how far the partition of a topic is."""
        return self.next_exchange_offset if topic == EXCHANGE else self.next_offset

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

    def forget(self, key: str) -> None:
        """Forget a customer; whoever needs it loads it again."""
        del self.customers[key]

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


def _started_at(journey: Journey) -> int:
    return journey.started_at
