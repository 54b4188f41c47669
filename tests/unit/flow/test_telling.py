"""Namings become part of the batch that they are made in, where their partitions take part in it."""

from __future__ import annotations

from network import Event, admitted

from pipeline.contract.partition import partition_of
from pipeline.flow.exchange import Named
from pipeline.flow.telling import namings_of, tell_within
from pipeline.flow.values import AdmittedSlice
from pipeline.identity.naming import Naming
from pipeline.journey.admitted import Admitted

PARTITIONS = 3
COOKIES = {partition_of(f"anonymous:{n}".encode(), PARTITIONS): f"anonymous:{n}" for n in range(20)}


def event(number: int, *keys: str) -> Admitted:
    return admitted(Event(str(number), number, ("customer:ann", *keys)))


def naming(number: int) -> Naming:
    return Naming("customer:ann", "verified", number, "test", str(number))


def test_namings_are_put_together_by_key() -> None:
    assert namings_of([event(1, "anonymous:a", "device:b"), event(2), event(3, "device:b")]) == {
        "anonymous:a": [naming(1)],
        "device:b": [naming(1), naming(3)],
    }


def test_a_batch_without_namings_stays_as_it_is() -> None:
    slices = [AdmittedSlice(0, 5, [event(1)])]
    assert tell_within(slices, {1: 9}, PARTITIONS) is slices


def test_namings_go_to_the_partitions_that_take_part_and_the_rest_is_to_be_told() -> None:
    before = Named("anonymous:other", [naming(7)])
    slices = [
        AdmittedSlice(0, 5, [event(1, COOKIES[0], COOKIES[1]), event(2, COOKIES[2])]),
        AdmittedSlice(1, 6, [event(3, COOKIES[1])], messages=[before]),
    ]
    zero, one = tell_within(slices, {}, PARTITIONS)
    assert (zero.messages, zero.untold) == ([Named(COOKIES[0], [naming(1)])], {COOKIES[2]: [naming(2)]})
    assert (one.messages, one.untold) == ([before, Named(COOKIES[1], [naming(1), naming(3)])], {})


def test_a_partition_that_can_take_part_gets_a_slice_if_it_is_told_something() -> None:
    zero, two = tell_within([AdmittedSlice(0, 5, [event(2, COOKIES[2])])], {1: 8, 2: 9}, PARTITIONS)
    assert (zero.messages, zero.untold) == ([], {})
    assert two == AdmittedSlice(2, 9, messages=[Named(COOKIES[2], [naming(2)])])
