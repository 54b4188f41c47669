"""Which partition a customer belongs to."""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set

from pipeline.contract.partition import partitions_of
from pipeline.touchpoint import is_nobody, is_storable

#: Number of keys that are remembered; when there are more, all are forgotten.
_MEMO = 100_000


class Partitioner:
    """Assigns keys to partitions as Kafka's clients do, and remembers the results.

    `nobody` are values that name nobody, as in `touchpoint.is_nobody`.
    """

    def __init__(self, partitions: int, nobody: Set[str] = frozenset()) -> None:
        self._partitions, self._nobody = partitions, nobody
        #: By key, its text and partition. A key that can't be stored, or that names nobody, has partition -1.
        self._known: dict[bytes, tuple[str, int]] = {}

    def partition(self, key: bytes) -> int:
        """Return the partition of a validated key."""
        if key not in self._known:
            self._learn([key])
        return self._known[key][1]

    def routed_customers(
        self, customers: Sequence[bytes], keys: Sequence[bytes | None], partitions: Sequence[int]
    ) -> list[str | None]:
        """Return customers' keys; None where the record has another key, or the key is of another partition, can't be
        stored, or names nobody.
        """
        self._learn(customers)
        known = self._known
        return [
            named[0] if customer == key and (named := known[customer])[1] == partition else None
            for customer, key, partition in zip(customers, keys, partitions, strict=True)
        ]

    def _learn(self, keys: Collection[bytes]) -> None:
        fresh = list(set(keys).difference(self._known))
        if len(self._known) + len(fresh) > _MEMO:
            self._known.clear()
            fresh = list(set(keys))
        for key, partition in zip(fresh, partitions_of(fresh, self._partitions), strict=True):
            name = key.decode()
            is_right = is_storable(name) and not is_nobody(name, self._nobody)
            self._known[key] = name, partition if is_right else -1
