"""What belongs to one journey: a table of boundaries, and properties over any order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from placing import place

from pipeline.journey.admitted import ACTIVITY, BEGUN_BY_CUSTOMER
from pipeline.journey.journey import Journey, new_journey_id
from pipeline.journey.step import KEPT_EACH_END, Step, StepType, event_key

MINUTE = 60_000
SIGNS = BEGUN_BY_CUSTOMER | ACTIVITY
T0 = 1_700_000_000_000


def step(at: int, name: str = "", outcome: str = "none") -> Step:
    return Step(at, 0, event_key("test", name or str(at), at), StepType("web", "page_viewed", "before", outcome))


def build(touches: list[tuple[int, int]]) -> list[Journey]:
    """Journeys of touchpoints (minute, gap in minutes), put in one after the other."""
    journeys: list[Journey] = []
    for i, (minute, gap) in enumerate(touches):
        at = T0 + minute * MINUTE
        place(journeys, "customer:1", step(at, f"{i}"), at + gap * MINUTE, signs=SIGNS)
    return journeys


def spans(journeys: list[Journey]) -> list[tuple[int, int, int]]:
    """(first minute, last minute, count) of each."""
    return [((j.started_at - T0) // MINUTE, (j.ended_at - T0) // MINUTE, j.touchpoints) for j in journeys]


@pytest.mark.parametrize(
    ("touches", "expected"),
    [
        pytest.param([(0, 30)], [(0, 0, 1)], id="one alone"),
        pytest.param([(0, 30), (30, 30)], [(0, 30, 2)], id="the gap exactly reached still joins"),
        pytest.param([(0, 30), (31, 30)], [(0, 0, 1), (31, 31, 1)], id="a minute beyond the gap does not"),
        pytest.param([(30, 30), (0, 30)], [(0, 30, 2)], id="the earlier one may come later"),
        pytest.param([(0, 30), (60, 30), (30, 30)], [(0, 60, 3)], id="one in between joins two"),
        pytest.param(
            [(0, 10), (20, 10), (40, 10), (0, 40)], [(0, 40, 4)], id="a long cover joins all three that it meets"
        ),
        pytest.param([(0, 60), (10, 5), (59, 5)], [(0, 59, 3)], id="a short cover does not shorten a long one"),
        pytest.param([(0, 60), (10, 5), (61, 5)], [(0, 10, 2), (61, 61, 1)], id="beyond the longest cover"),
        pytest.param([(100, 5), (0, 5), (50, 5)], [(0, 0, 1), (50, 50, 1), (100, 100, 1)], id="kept in order of time"),
        pytest.param([(0, 0), (0, 0)], [(0, 0, 2)], id="the same moment without any gap"),
        pytest.param([(5, 0), (0, 5)], [(0, 5, 2)], id="reached backwards by the earlier one's cover"),
    ],
)
def test_touchpoints_belong_together_when_one_begins_no_later_than_the_others_cover_ends(
    touches: list[tuple[int, int]], expected: list[tuple[int, int, int]]
) -> None:
    assert spans(build(touches)) == expected


def test_one_millisecond_beyond_the_cover_begins_a_new_journey() -> None:
    journeys: list[Journey] = []
    place(journeys, "c", step(T0), T0 + 30 * MINUTE, SIGNS)
    place(journeys, "c", step(T0 + 30 * MINUTE + 1), T0 + 60 * MINUTE, SIGNS)
    assert len(journeys) == 2


def test_the_same_event_again_is_a_duplicate_and_changes_nothing() -> None:
    journeys: list[Journey] = []
    assert place(journeys, "c", step(T0, "a"), T0 + MINUTE, SIGNS) is not None
    assert place(journeys, "c", step(T0, "a"), T0 + MINUTE, SIGNS) is None
    assert journeys[0].touchpoints == 1
    assert journeys[0].channels == {"web": 1}


def test_a_duplicate_of_a_step_that_a_long_journey_left_out_is_still_known() -> None:
    journeys: list[Journey] = []
    for i in range(5 * KEPT_EACH_END):
        place(journeys, "c", step(T0 + i, str(i)), T0 + i + MINUTE, SIGNS)
    middle = 2 * KEPT_EACH_END
    assert place(journeys, "c", step(T0 + middle, str(middle)), T0 + middle + MINUTE, SIGNS) is None
    assert journeys[0].touchpoints == 5 * KEPT_EACH_END
    assert [s.at - T0 for s in journeys[0].steps] == [*range(100), *range(400, 500)]


def test_joining_leaves_the_absorbed_journey_empty_and_pointing_to_the_one_that_goes_on() -> None:
    journeys: list[Journey] = []
    place(journeys, "c", step(T0), T0 + MINUTE, SIGNS)
    place(journeys, "c", step(T0 + 10 * MINUTE), T0 + 11 * MINUTE, SIGNS)
    first, second = journeys
    placed = place(journeys, "c", step(T0 + MINUTE), T0 + 10 * MINUTE, SIGNS)
    assert placed is not None
    goes_on, absorbed, visits = placed
    assert goes_on is first
    assert absorbed == [second]
    assert second.status == "merged"
    assert second.merged_into == first.journey_id
    assert second.touchpoints == 0
    assert visits == -1


def test_a_journeys_outcome_is_that_of_its_last_step_that_has_one() -> None:
    journeys: list[Journey] = []
    for at, outcome in ((T0, "failed"), (T0 + 2, "none"), (T0 + 1, "succeeded")):
        place(journeys, "c", step(at, outcome=outcome), at + MINUTE, SIGNS)
    assert journeys[0].outcome == "succeeded"
    assert journeys[0].failures == 1


def test_ids_are_uuids_of_version_8_that_sort_by_time() -> None:
    earlier, later = new_journey_id("c", step(T0)), new_journey_id("c", step(T0 + 1))
    assert earlier < later
    assert earlier[14] == "8"
    assert earlier[19] in "89ab"


touch = st.tuples(st.integers(0, 300), st.sampled_from([0, 1, 5, 30, 90]))


@given(touches=st.lists(touch, max_size=40), data=st.data())
def test_any_order_of_arrival_gives_the_same_journeys(touches: list[tuple[int, int]], data: st.DataObject) -> None:
    named = list(enumerate(touches))
    shuffled = data.draw(st.permutations(named))

    def run(order: list[tuple[int, tuple[int, int]]]) -> list[tuple[object, ...]]:
        journeys: list[Journey] = []
        for i, (minute, gap) in order:
            at = T0 + minute * MINUTE
            begun = i % 3 == 0
            place(journeys, "c", step(at, str(i), ("none", "failed", "succeeded")[i % 3]), at + gap * MINUTE, begun)
        return [
            (j.started_at, j.ended_at, j.covers_until, j.keys, j.steps, j.channels, j.outcome, j.failures,
             j.begun_by_customer)
            for j in journeys
        ]  # fmt: skip

    assert run(named) == run(shuffled)


@given(touches=st.lists(touch, max_size=60))
def test_journeys_are_the_connected_components_found_by_walking_once(touches: list[tuple[int, int]]) -> None:
    expected: list[list[int]] = []
    reach = -1
    for minute, gap in sorted(touches):
        if expected and minute <= reach:
            expected[-1].append(minute)
            reach = max(reach, minute + gap)
        else:
            expected.append([minute])
            reach = minute + gap
    assert spans(build(touches)) == [(e[0], e[-1], len(e)) for e in expected]


@given(touches=st.lists(touch, max_size=40))
def test_the_change_in_visits_adds_up_to_the_journeys_with_activity(touches: list[tuple[int, int]]) -> None:
    journeys: list[Journey] = []
    visits = 0
    for i, (minute, gap) in enumerate(touches):
        at = T0 + minute * MINUTE
        placed = place(journeys, "c", step(at, str(i)), at + gap * MINUTE, signs=SIGNS * (i % 2 == 0))
        assert placed is not None
        visits += placed[2]
    assert visits == sum(j.is_visit for j in journeys)
