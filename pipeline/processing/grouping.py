"""Grouping the slices of a round into transactions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from pipeline.flow.slices import Slice
from pipeline.topics import EXCHANGE

#: Number of records in a transaction, unless a single partition has more. A transaction costs more than fewer records
#: do; with more, it takes too long before the first of them are in the tables.
_MIN_RECORDS, _MAX_RECORDS = 250, 20_000
#: Number of transactions that a round is committed in, so that the database works on one and the worker on the next.
_TRANSACTIONS = 4
#: Number of records in a transaction of all partitions.
_MAX_TOGETHER = 100_000


def group_parts(slices: Sequence[Slice]) -> list[list[Slice]]:
    """Return slices in groups that are worth a transaction, each of which has a part of every slice.

    The groups are to be processed one after the other. What other partitions tell is in the first one.
    """
    records = sum([len(each.records) for each in slices])
    parts = [each.parts(-(-records // _MAX_TOGETHER)) if each.topic != EXCHANGE else [each] for each in slices]
    return [[each for each in group if each is not None] for group in zip_longest(*parts)]


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
