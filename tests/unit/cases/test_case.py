"""What a case says is a function of its touchpoints: whatever their order, and whatever came and went before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import catalogue
from pipeline.cases import case, types
from pipeline.cases.case import CaseChange, case_of, changed_case, must_be_listed, with_steps
from pipeline.cases.row import CLOSED, MOVED, OPEN, OVERFULL, CaseRow
from pipeline.cases.rules import CaseRules
from pipeline.journey.case_policy import CasePolicy
from pipeline.journey.step import Step, StepType, event_key, measured

T0 = 1_700_000_000_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
RULES = CaseRules(catalogue.load(), types.load(), {})


def step(
    kind: str,
    minute: int = 0,
    channel: str = "web",
    outcome: str = "none",
    begun_by: str | None = None,
    **measures: Any,
) -> Step:
    at = T0 + minute * MINUTE
    key = event_key("test", f"{kind}{channel}{minute}", at)
    return Step(at, 0, key, StepType(channel, kind, "after", outcome, begun_by), measured(**measures), subject="s")


def of(*steps: Step, rules: CaseRules = RULES) -> CaseRow:
    return case_of("customer:1", "s", sorted(steps), rules)


def test_an_order_goes_through_its_stages() -> None:
    row = of(
        step("checkout_started"),
        step("purchase", 3, outcome="succeeded"),
        step("order_shipped", 600, "email"),
        step("order_delivered", 2_000, "partner"),
    )
    assert (row.type, row.status, row.touchpoints) == ("order", CLOSED, 4)
    assert [each.stage for each in row.stages] == ["begun", "placed", "shipped", "delivered"]
    assert (row.opened_at, row.closed_at, row.last_at) == (T0, T0 + 2_000 * MINUTE, T0 + 2_000 * MINUTE)
    assert (row.outcome, row.first_channel, row.channels) == ("succeeded", "web", {"web": 2, "email": 1, "partner": 1})
    assert (row.closes_at, row.due_at, row.late_ms) == (None, None, None)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["page_viewed"], "unknown"),
        (["something_new"], "unknown"),
        (["purchase"], "order"),
        (["lead_contacted", "purchase"], "sale"),
        (["appointment_booked"], "appointment"),
        (["appointment_booked", "price_quoted"], "sale"),
        (["complaint_opened"], "complaint"),
        (["purchase", "complaint_opened"], "order"),
        (["ticket_opened", "complaint_opened"], "complaint"),
        (["call_queued", "ticket_opened"], "ticket"),
        (["call_queued"], "call"),
        (["application_submitted"], "application"),
        (["email_opened"], "message"),
    ],
)
def test_a_case_is_of_the_strongest_type_that_its_touchpoints_make(kinds: list[str], expected: str) -> None:
    assert of(*[step(kind, n) for n, kind in enumerate(kinds)]).type == expected


def test_what_the_customer_begins_on_a_channel_without_a_long_pause_is_one_contact() -> None:
    row = of(
        step("ticket_opened"),
        step("page_viewed", 20),
        step("page_viewed", 50),
        step("ticket_answered", 60, "email"),
        step("call_queued", 61, "call_centre", wait_ms=5_000),
        step("call_answered", 62, "call_centre"),
        step("call_transferred", 63, "call_centre"),
        step("ticket_opened", 200),
    )
    assert (row.contacts, row.repeats, row.hand_overs) == (3, 1, 1)
    assert (row.waits, row.wait_ms) == (1, 5_000)


def test_who_began_it_is_what_the_event_says_and_else_the_catalogue() -> None:
    assert of(step("ticket_answered", begun_by="customer")).contacts == 1
    assert of(step("ticket_opened", begun_by="company")).contacts == 0


def test_a_new_contact_for_help_opens_a_case_again_and_the_end_of_the_same_contact_does_not() -> None:
    solved = [
        step("call_queued", 0, "call_centre"),
        step("ticket_resolved", 5, "email"),
        step("call_ended", 6, "call_centre"),
    ]
    assert (of(*solved).status, of(*solved).reopened) == (CLOSED, 0)
    again = of(*solved, step("call_queued", 90, "call_centre"))
    assert (again.status, again.reopened, again.closed_at) == (OPEN, 1, None)
    looked = of(*solved, step("page_viewed", 90))
    assert (looked.status, looked.reopened) == (CLOSED, 0)


def test_stages_that_open_a_case_again_do_so_within_a_contact_too() -> None:
    row = of(step("ticket_opened"), step("ticket_resolved", 1), step("ticket_reopened", 2), step("ticket_closed", 3))
    assert (row.reopened, row.status, row.closed_at) == (1, CLOSED, T0 + 3 * MINUTE)


def test_a_case_that_is_closed_twice_is_closed_since_the_first_time() -> None:
    row = of(step("ticket_opened"), step("ticket_resolved", 1), step("ticket_closed", 9))
    assert (row.closed_at, row.last_at) == (T0 + MINUTE, T0 + 9 * MINUTE)


def test_late_is_what_was_first_closed_after_the_last_promise_before_that() -> None:
    row = of(
        step("purchase", 0, late_ms=-60 * MINUTE),
        step("delivery_late", 50, late_ms=-50 * MINUTE),
        step("order_delivered", 130, late_ms=30 * MINUTE),
        step("return_requested", 500, late_ms=-900 * MINUTE),
    )
    assert (row.due_at, row.late_ms) == (T0 + 100 * MINUTE, 30 * MINUTE)
    waiting = of(step("purchase", 0, late_ms=-60 * MINUTE))
    assert (waiting.due_at, waiting.late_ms) == (T0 + 60 * MINUTE, None)


def test_silence_closes_an_open_case_after_a_time_that_the_policy_can_set() -> None:
    opened = step("ticket_opened")
    assert of(opened).closes_at == T0 + 60 * DAY
    assert of(step("page_viewed")).closes_at is None
    soon = CaseRules(catalogue.load(), types.load(), {"ticket": CasePolicy(("answered",), 2 * DAY)})
    assert of(opened, rules=soon).closes_at == T0 + 2 * DAY
    assert of(opened, step("ticket_answered", 1), rules=soon).status == CLOSED
    assert of(opened, step("ticket_resolved", 1), rules=soon).status == OPEN


@pytest.mark.parametrize(
    ("policy", "wrong"),
    [({"tickets": CasePolicy(None, DAY)}, "unknown type tickets"), ({"ticket": CasePolicy(("done",))}, "stage done")],
)
def test_a_policy_that_names_what_there_is_not_is_refused(policy: dict[str, CasePolicy], wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        CaseRules(catalogue.load(), types.load(), policy)


def test_satisfaction_is_the_mean_of_the_answers() -> None:
    row = of(step("survey_answered", 1, score=100.0), step("survey_answered", 90, score=25.0), step("page_viewed", 2))
    assert (row.answers, row.satisfaction) == (2, 62.5)
    assert row.contacts == 1  # an answer is none
    assert of(step("page_viewed")).satisfaction is None


def test_made_up_kinds_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.cases.rules._MEMO", 2)
    rules = CaseRules(catalogue.load(), types.load(), {})
    of(*[step(f"made_up_{n}", n) for n in range(5)], rules=rules)
    assert len(rules._traits) <= 2


KINDS = st.sampled_from(
    [
        "ticket_opened",
        "ticket_resolved",
        "ticket_reopened",
        "call_queued",
        "complaint_opened",
        "purchase",
        "page_viewed",
    ]
)
drawn = st.lists(
    st.tuples(KINDS, st.integers(0, 300), st.sampled_from(["web", "email", "call_centre"])), min_size=1, max_size=9,
    unique=True,
).map(lambda some: [step(*one) for one in some])  # fmt: skip


def follow(steps: Sequence[Step], sizes: Sequence[int], gone: Sequence[Step]) -> CaseRow | None:
    """The case of these touchpoints as they come in batches; each that goes does so with some later batch."""
    row: CaseRow | None = None
    there: list[Step] = []
    rest, leaving = list(steps), list(gone)
    for size in [*sizes, len(rest)]:
        added, rest = rest[:size], rest[size:]
        removed = [each for each in leaving if each in there]
        row = revised(row, CaseChange("customer:1", "s", added, removed), there)
        there = [each for each in there if each not in removed] + added
        leaving = [each for each in leaving if each not in removed]
    return revised(row, CaseChange("customer:1", "s", [], leaving), there)


def revised(row: CaseRow | None, change: CaseChange, there: Sequence[Step]) -> CaseRow | None:
    if not change.added and not change.removed:
        return row
    if row is not None and must_be_listed(row, change):
        row = with_steps(row, there)
    return changed_case(row, change, RULES) or row


@settings(max_examples=200, deadline=None)
@given(steps=drawn, data=st.data(), listed=st.sampled_from([1, 3, 5, 1_000]))
def test_any_order_and_batching_gives_the_same_and_what_goes_leaves_nothing(
    steps: list[Step], data: st.DataObject, listed: int
) -> None:
    shuffled = data.draw(st.permutations(steps))
    sizes = data.draw(st.lists(st.integers(1, 4), max_size=5))
    gone = data.draw(st.lists(st.sampled_from(steps), unique=True))
    left = sorted([each for each in steps if each not in gone])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(case, "MAX_LISTED", listed)
        row = follow(shuffled, sizes, gone)
        assert row is not None
        expected = case_of("customer:1", "s", left, RULES)
        if len(left) > listed:
            assert (row.status, row.touchpoints, row.channels) == (OVERFULL, len(left), expected.channels)
            assert (row.type, row.opened_at, len(row.steps)) == ("unknown", None, 0)
        else:
            assert row._replace(revision=1) == expected


def test_revisions_ascend_and_what_changes_nothing_makes_none() -> None:
    opened, closed = step("ticket_opened"), step("ticket_resolved", 1)
    first = changed_case(None, CaseChange("customer:1", "s", [opened]), RULES)
    assert first is not None and first.revision == 1
    second = changed_case(first, CaseChange("customer:1", "s", [closed], [opened]), RULES)
    assert second is not None and second.revision == 2
    assert changed_case(second, CaseChange("customer:1", "s", [closed], [closed]), RULES) is None
    moved = changed_case(second, CaseChange("customer:1", "s", [], [closed]), RULES)
    assert moved is not None
    assert (moved.revision, moved.status, moved.touchpoints, moved.channels) == (3, MOVED, 0, {})
    back = changed_case(moved, CaseChange("customer:1", "s", [opened]), RULES)
    assert back is not None and (back.revision, back.status) == (4, OPEN)
