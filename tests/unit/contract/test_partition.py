"""Keys are hashed as Kafka's clients do."""

from __future__ import annotations

from aiokafka.partitioner import murmur2 as theirs
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.partition import murmur2


@given(st.binary(max_size=70))
def test_the_hash_is_that_of_other_clients(key: bytes) -> None:
    assert murmur2(key) == theirs(key)
