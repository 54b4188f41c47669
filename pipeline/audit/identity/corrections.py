"""Which corrections are valid, what they make void, and who survives merges."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from pipeline.audit.identity.records import ENDED, MERGED, RETRACTED, SPLIT, Correction, Naming, Order


class Corrections(NamedTuple):
    """The valid corrections, and what they act on."""

    #: From the earliest to the latest.
    valid: Sequence[Correction]
    #: (source, event_id) → the latest retraction of what the event named.
    retracted_events: Mapping[tuple[str, str], Order]
    #: (key, own key) → the latest retraction, without a subject, of the key's links to this own key.
    retracted_links: Mapping[tuple[str, str], Order]
    #: key → the times of its ends, ascending.
    ends: Mapping[str, Sequence[int]]

    def makes_void(self, naming: Naming) -> bool:
        """Return whether a later retraction makes a naming void."""
        by_event = self.retracted_events.get((naming.source, naming.event_id))
        by_link = self.retracted_links.get((naming.key, naming.target))
        return any(retraction is not None and retraction > naming.order for retraction in (by_event, by_link))


def effective(corrections: Iterable[Correction]) -> Corrections:
    """Return the corrections that no valid later one takes back."""
    latest_first = sorted(corrections, key=attrgetter("order"), reverse=True)
    valid: list[Correction] = []
    retracted: set[tuple[str, str]] = set()
    split: set[tuple[str, str]] = set()
    for _, same_moment in groupby(latest_first, attrgetter("order")):
        still_valid = []
        for each in same_moment:
            name = each.source, each.event_id
            if name not in retracted and not (each.kind == MERGED and name in split):
                still_valid.append(each)
        # Only now, since what is equal in the order is not later.
        retracted |= {(each.source, each.subject) for each in still_valid if each.kind == RETRACTED and each.subject}
        split |= {(each.source, each.subject) for each in still_valid if each.kind == SPLIT and each.subject}
        valid += still_valid
    return _arranged(valid[::-1])


def _arranged(valid: Sequence[Correction]) -> Corrections:
    """Return valid corrections, from the earliest to the latest, by what they act on; the latest is kept."""
    events: dict[tuple[str, str], Order] = {}
    links: dict[tuple[str, str], Order] = {}
    ends: defaultdict[str, list[int]] = defaultdict(list)
    for each in valid:
        if each.kind == RETRACTED and each.subject:
            events[each.source, each.subject] = each.order
        elif each.kind == RETRACTED:
            links |= {(key, each.own): each.order for key in each.keys}
        elif each.kind == ENDED:
            for key in each.keys:
                ends[key].append(each.at)
    return Corrections(valid, events, links, ends)


def survivors(corrections: Corrections) -> dict[str, str]:
    """Return the survivor of each merged customer, by their keys.

    Of a customer's merges the latest holds (of copies of one event the smaller survivor). Then each cycle loses its
    earliest merge. A merge that does not name two customers does nothing.
    """
    merges: dict[str, Correction] = {}
    for each in corrections.valid:
        if each.kind == MERGED and each.other is not None and each.own.startswith("customer:"):
            earlier = merges.get(each.other)
            if earlier is None or earlier.order < each.order or each.own < earlier.own:
                merges[each.other] = each
    for cycle in _cycles({customer: merge.own for customer, merge in merges.items()}):
        del merges[min(cycle, key=lambda customer: (merges[customer].order, customer))]
    into = {customer: merge.own for customer, merge in merges.items()}
    ends: dict[str, str] = {}
    for customer in into:
        way = [customer]
        while way[-1] in into and way[-1] not in ends:
            way.append(into[way[-1]])
        end = ends.get(way[-1], way[-1])
        ends |= dict.fromkeys(way[:-1], end)
    return ends


def _cycles(into: Mapping[str, str]) -> list[list[str]]:
    """Return the cycles of a graph in which each node has at most one edge."""
    cycles: list[list[str]] = []
    seen: set[str] = set()
    for start in into:
        way: list[str] = []
        node = start
        while node in into and node not in seen:
            seen.add(node)
            way.append(node)
            node = into[node]
        if node in way:
            cycles.append(way[way.index(node) :])
    return cycles
