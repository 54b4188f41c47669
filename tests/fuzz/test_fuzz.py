"""A short run of the fuzzer, and that it notices what it is for. `make fuzz` is the long run."""

from __future__ import annotations

import pytest
from fuzz.__main__ import TARGETS
from fuzz.run import run


@pytest.mark.parametrize(("name", "inputs"), [("decoding", 15_000), ("slices", 30), ("publish", 1_000)])
def test_no_input_crashes_hangs_or_takes_memory_beyond_its_size(name: str, inputs: int) -> None:
    found = run(TARGETS[name], inputs, seed=1)
    assert not found.failure, f"{found.failure}\n{found.failing[:2_000].hex()}"
    assert found.inputs == sum(found.outcomes.values()) == inputs
    passing = {"processed", "all published", "at least 60 of 400 admitted"}
    assert passing & set(found.outcomes), "nothing gets through: the inputs are too damaged"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("raising", "KeyError: 'nothing'"),
        ("crashing", "the process ended with -11"),
        ("hanging", "of processor time"),
        ("greedy", "bytes of memory"),
    ],
)
def test_a_faulty_target_is_noticed_with_the_input_that_it_fails_on(fault: str, said: str) -> None:
    fine = run("fuzz.faulty:fine", 700, seed=3)
    assert (fine.failure, fine.inputs) == ("", 700)
    found = run(f"fuzz.faulty:{fault}", 1_000, seed=3)
    assert said in found.failure
    assert (found.number, len(found.failing)) == (700, 2)
