"""What a worker keeps in memory, and whom it forgets."""

from __future__ import annotations

from pipeline.flow.state import Customer, Partition, forget_customers


def partition(number: int, touched: dict[str, int]) -> Partition:
    """A partition whose customers were touched at the given times, one batch each."""
    made = Partition(number, 0, 0)
    for name, at in touched.items():
        made.customers[name] = Customer(name, 0)
        made.touch([made.customers[name]], at)
    return made


def test_no_more_customers_are_kept_than_may_be_and_the_longest_untouched_go_first() -> None:
    only = partition(0, {"a": 1, "b": 2, "c": 3})
    only.touch([only.customers["a"]], 4)
    forget_customers([only], 2)
    assert list(only.customers) == ["c", "a"]


def test_a_busy_partition_may_use_what_quiet_ones_do_not() -> None:
    busy, quiet = partition(0, {f"b{n}": 10 + n for n in range(8)}), partition(1, {"q": 5})
    forget_customers([busy, quiet, Partition(2, 0, 0)], 8)
    assert len(busy.customers) == 8
    assert not quiet.customers


def test_of_one_batch_only_as_many_go_as_must() -> None:
    one, other = partition(0, {}), partition(1, {"late": 9})
    for name in "abcd":
        one.customers[name] = Customer(name, 0)
    one.touch(list(one.customers.values()), 1)
    forget_customers([one, other], 3)
    assert len(one.customers) == 2
    assert list(other.customers) == ["late"]


def test_nothing_is_forgotten_while_there_is_room() -> None:
    only = partition(0, {"a": 1, "b": 2})
    forget_customers([only], 2)
    forget_customers([], 0)
    assert set(only.customers) == {"a", "b"}
