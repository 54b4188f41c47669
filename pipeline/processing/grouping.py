"""Grouping the slices of a round into transactions."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.flow.slices import Slice

#: Number of records in a transaction, unless a single partition has more. A transaction costs more than fewer records
#: do; with more, it takes too long before the first of them are in the tables.
_MIN_RECORDS, _MAX_RECORDS = 250, 20_000
#: Number of transactions that a round is committed in, so that the database works on one and the worker on the next.
_TRANSACTIONS = 4


def group_slices(slices: Sequence[Slice]) -> list[list[Slice]]:
    """Return slices in groups, each of which is worth a transaction, and has all slices of its partitions."""
    enough = min(max(sum(len(each.records) for each in slices) // _TRANSACTIONS, _MIN_RECORDS), _MAX_RECORDS)
    by_partition: dict[int, list[Slice]] = {}
    for each in slices:
        by_partition.setdefault(each.partition, []).append(each)
    groups: list[list[Slice]] = []
    room = 0
    for of_partition in by_partition.values():
        if room <= 0:
            groups.append([])
            room = enough
        groups[-1] += of_partition
        room -= sum(len(each.records) for each in of_partition)
    return groups
