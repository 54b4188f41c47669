"""How well touchpoints are joined: of all pairs of touchpoints, those that are one person's and one owner's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from math import comb
from typing import NamedTuple


class Pairs(NamedTuple):
    """Numbers of pairs of touchpoints: of one person, of one owner, and of both."""

    one_person: int
    one_owner: int
    both: int

    @property
    def precision(self) -> float:
        """Return of the pairs that are joined the share that is one person's; 1 where none is joined."""
        return self.both / self.one_owner if self.one_owner else 1.0

    @property
    def recall(self) -> float:
        """Return of the pairs that are one person's the share that is joined; 1 where there are none."""
        return self.both / self.one_person if self.one_person else 1.0

    @property
    def missed(self) -> int:
        """Return the number of pairs of one person that are not joined."""
        return self.one_person - self.both

    @property
    def wrong(self) -> int:
        """Return the number of pairs that are joined, and are two people's."""
        return self.one_owner - self.both

    def without(self, others: Pairs) -> Pairs:
        """Return what is left without the pairs of a part of the touchpoints."""
        return Pairs(*[mine - theirs for mine, theirs in zip(self, others, strict=True)])


def joined_pairs(touchpoints: Iterable[tuple[Hashable, Hashable]]) -> Pairs:
    """Return the numbers of pairs, given the person and the owner of each touchpoint.

    It goes by the sizes of the groups: n touchpoints of one person are n (n - 1) / 2 pairs.
    """
    both = Counter(touchpoints)
    people: Counter[Hashable] = Counter()
    owners: Counter[Hashable] = Counter()
    for (person, owner), count in both.items():
        people[person] += count
        owners[owner] += count
    return Pairs(*[sum(comb(count, 2) for count in groups.values()) for groups in (people, owners, both)])
