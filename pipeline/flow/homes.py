"""Which partition a customer belongs to."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pipeline.contract.partition import partitions_of

#: More keys than this are forgotten and hashed anew.
_MEMO = 100_000


class Homes:
    """Hashes customers' keys as Kafka's clients do, for a topic of so many partitions, and remembers what it found."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        #: By key, the customer's name and partition; the partition of a key that can't be one is -1.
        self._known: dict[bytes, tuple[str, int]] = {}

    def of(self, key: bytes) -> int:
        """The partition of a checked key."""
        if key not in self._known:
            self._learn([key])
        return self._known[key][1]

    def named(
        self, customers: Sequence[bytes], keys: Sequence[bytes | None], partitions: Sequence[int]
    ) -> list[str | None]:
        """Customers' names; None where the record's key is another one, another partition's, or holds a NUL."""
        self._learn(customers)
        known = self._known
        return [
            found[0] if customer == key and (found := known[customer])[1] == partition else None
            for customer, key, partition in zip(customers, keys, partitions, strict=True)
        ]

    def _learn(self, keys: Collection[bytes]) -> None:
        fresh = list(set(keys).difference(self._known))
        if len(self._known) + len(fresh) > _MEMO:
            self._known.clear()
            fresh = list(set(keys))
        for key, partition in zip(fresh, partitions_of(fresh, self._partitions), strict=True):
            self._known[key] = key.decode(), -1 if b"\0" in key else partition
