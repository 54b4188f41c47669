"""What is written of steps is the same, whichever revisions came before and in whichever form."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.journey.step import Step, StepType
from pipeline.journey.steps import AVRO, JSON, Steps

TYPE = StepType("web", "page_viewed", "before", "none")


def steps(count: int) -> list[Step]:
    return [Step(n, 0, bytes([n]), TYPE) for n in range(count)]


class Writer:
    """Notes how many steps it has written."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, some: Sequence[Step]) -> str:
        self.count += len(some)
        return "".join(f"{step.at}," for step in some)


@given(st.lists(st.tuples(st.integers(0, 3), st.sets(st.sampled_from([JSON, AVRO]))), min_size=1, max_size=8))
def test_each_revision_is_written_whole(revisions: list[tuple[int, set[str]]]) -> None:
    size, base = 0, None
    for added, forms in revisions:
        size += added
        current = Steps(steps(size), base)
        for form in forms:
            assert current.written(form, Writer()) == Writer()(steps(size))
        base = current
    for form in (JSON, AVRO):
        assert current.written(form, Writer()) == Writer()(steps(size))


def test_only_what_is_new_is_written() -> None:
    writer = Writer()
    first = Steps(steps(3))
    first.written(JSON, writer)
    second = Steps(steps(5), first)
    second.written(JSON, writer)
    second.written(JSON, writer)
    assert writer.count == 5


def test_earlier_steps_are_let_go_when_both_forms_are_there() -> None:
    first = Steps(steps(2))
    second = Steps(steps(3), first)
    for form in (JSON, AVRO):
        first.written(form, Writer())
        second.written(form, Writer())
    assert second._base is None


def test_steps_compare_by_what_they_hold() -> None:
    assert Steps(steps(2)) == Steps(steps(2), Steps(steps(1)))
    assert Steps(steps(2)) != Steps(steps(3))
    assert Steps(steps(2)) != tuple(steps(2))
    assert (len(Steps(steps(2))), list(Steps(steps(2)))) == (2, steps(2))


def test_a_form_that_is_there_needs_nothing_more() -> None:
    known = Steps(steps(2))
    assert known.unwritten(AVRO) == tuple(steps(2))
    assert known.complete(AVRO, "0,1,") == "0,1,"
    assert known.unwritten(AVRO) == ()
    assert known.complete(AVRO, "") == "0,1,"
    with pytest.raises(TypeError):
        hash(known)
