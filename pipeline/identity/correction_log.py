"""The corrections that can concern any key: retractions of events and corrections, merges and splits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from pipeline.identity.correction import MERGED, RETRACTED, SPLIT, Correction, Order


class CorrectionLog:
    """An immutable set of corrections of which `Correction.concerns_all` holds, and what follows from it."""

    def __init__(self, corrections: Iterable[Correction] = ()) -> None:
        self.corrections = frozenset(corrections)

    def with_added(self, corrections: Iterable[Correction]) -> CorrectionLog:
        """Return the log with more corrections; this one if it has them all."""
        added = self.corrections.union(corrections)
        return self if len(added) == len(self.corrections) else CorrectionLog(added)

    def is_void(self, source: str, event_id: str, order: Order) -> bool:
        """Return whether a later retraction makes void what an event has said, or a correction has done."""
        latest = self.retractions.get((source, event_id))
        return latest is not None and latest > order

    def survivor(self, customer: str) -> str:
        """Return the customer's key into which a customer was merged, directly or not; else that of the customer."""
        return self.survivors.get(customer, customer)

    @cached_property
    def survivors(self) -> Mapping[str, str]:
        """Return the survivor of each merged customer."""
        return {customer: _end(customer, self.merges) for customer in self.merges}

    @cached_property
    def retractions(self) -> Mapping[tuple[str, str], Order]:
        """Return the latest valid retraction of each (source, event_id); retractions can be retracted themselves."""
        latest: dict[tuple[str, str], Order] = {}
        for each in sorted(self._of_kind(RETRACTED), key=_order, reverse=True):
            later = latest.get((each.source, each.event_id))
            if later is None or later == each.order:
                latest.setdefault((each.source, each.subject or ""), each.order)
        return latest

    @cached_property
    def merges(self) -> Mapping[str, Correction]:
        """Return for each merged customer the merge that holds: the last one, without cycles."""
        undone: dict[tuple[str, str], Order] = {}
        for split in self._of_kind(SPLIT):
            if not self.is_void(split.source, split.event_id, split.order):
                place = (split.source, split.subject or "")
                undone[place] = max(split.order, undone.get(place, split.order))
        latest: dict[str, Correction] = {}
        for merge in sorted(self._of_kind(MERGED), key=_order):
            order = undone.get((merge.source, merge.event_id))
            is_split = order is not None and order > merge.order
            if not is_split and not self.is_void(merge.source, merge.event_id, merge.order):
                assert merge.other is not None
                latest[merge.other] = merge
        for customer in _earliest_of_cycles(latest):
            del latest[customer]
        return latest

    def _of_kind(self, kind: str) -> list[Correction]:
        return [each for each in self.corrections if each.kind == kind]


def _earliest_of_cycles(merges: Mapping[str, Correction]) -> list[str]:
    """Return for each cycle the customer whose merge is the earliest in it; each customer has one merge at most."""
    done: set[str] = set()
    earliest = []
    for start in merges:
        path: list[str] = []
        customer = start
        while customer in merges and customer not in done:
            done.add(customer)
            path.append(customer)
            customer = merges[customer].own
        if customer in path:
            cycle = path[path.index(customer) :]
            earliest.append(min(cycle, key=lambda each: merges[each].order))
    return earliest


def _end(customer: str, merges: Mapping[str, Correction]) -> str:
    while customer in merges:
        customer = merges[customer].own
    return customer


def _order(correction: Correction) -> Order:
    return correction.order
