"""Which partition a customer belongs to."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pipeline.contract.partition import partitions_of

#: Number of keys that are remembered; when there are more, all are forgotten.
_MEMO = 100_000


class Partitioner:
    """Assigns customers' keys to partitions as Kafka's clients do, and remembers the results."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        #: By key, the customer's name and partition. A key that holds a NUL has partition -1.
        self._known: dict[bytes, tuple[str, int]] = {}

    def partition(self, key: bytes) -> int:
        """Return the partition of a validated key."""
        if key not in self._known:
            self._learn([key])
        return self._known[key][1]

    def routed_customers(
        self, customers: Sequence[bytes], keys: Sequence[bytes | None], partitions: Sequence[int]
    ) -> list[str | None]:
        """Return customers' names; None where the record has another key, or the key is of another partition or holds
        a NUL.
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
            self._known[key] = key.decode(), -1 if b"\0" in key else partition
