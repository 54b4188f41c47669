"""Keys are hashed as Kafka's clients do."""

from __future__ import annotations

from aiokafka.partitioner import murmur2 as theirs
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.partition import murmur2, partition_of, partitions_of


@given(st.binary(max_size=70))
def test_the_hash_is_that_of_other_clients(key: bytes) -> None:
    assert murmur2(key) == theirs(key)


@given(
    st.lists(st.binary(max_size=40), min_size=24, max_size=60) | st.lists(st.binary(), max_size=5), st.integers(1, 99)
)
def test_many_keys_together_are_where_each_is_by_itself(keys: list[bytes], partitions: int) -> None:
    assert partitions_of(keys, partitions) == [partition_of(key, partitions) for key in keys]


def test_a_large_key_among_many_is_hashed_too() -> None:
    keys = [b"k%d" % number for number in range(50)] + [b"x" * 5_000]
    assert partitions_of(keys, 12) == [partition_of(key, 12) for key in keys]
