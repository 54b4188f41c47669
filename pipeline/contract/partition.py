"""Which partition a key belongs to: murmur2, as Kafka's Java clients, so that every client agrees."""

from __future__ import annotations

from aiokafka.partitioner import murmur2


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key among `partitions`."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions
