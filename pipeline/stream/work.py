"""What a worker does in one step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.flow.values import Admission, Work
from pipeline.stream.owned import Owned

#: Records in a transaction, unless there are more of a single partition. With fewer, it costs more than what is in it;
#: with more, it takes too long before the first of them are in the tables.
_LEAST, _MOST = 250, 20_000
#: In so many transactions what came at once is committed, so that the database works on one and the worker on the next.
_PORTIONS = 4


class Part(NamedTuple):
    """A step's part of one partition.

    `due` are customers whose journeys may have to be closed; event time is the clock's if the partition is `idle`.
    """

    owned: Owned
    admission: Admission
    due: Mapping[str, int] = {}
    idle: bool = False


def portions(works: Sequence[Work]) -> list[list[Work]]:
    """The works of different partitions in groups, each of which is worth a transaction of its own."""
    enough = min(max(sum(len(work.records) for work in works) // _PORTIONS, _LEAST), _MOST)
    found: list[list[Work]] = []
    room = 0
    for work in works:
        if room <= 0:
            found.append([])
            room = enough
        found[-1].append(work)
        room -= len(work.records)
    return found
