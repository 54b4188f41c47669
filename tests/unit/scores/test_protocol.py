"""What holds for every score: order and batches do not matter, and what was folded can be taken out again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory import DAY, T0

from pipeline.journey.admitted import Admitted, Answer, Traits
from pipeline.journey.step import Step, event_key, measured
from pipeline.scores.evidence.sums import NO_EVIDENCE
from pipeline.scores.protocol import CustomerChange, NotReversible, Score
from pipeline.scores.registry import SCORES, published

SCORE = pytest.mark.parametrize("score", SCORES, ids=lambda score: score.table.name)


def traits(kind: str, *, begun: bool = True, concern: str | None = None) -> Traits:
    return Traits(
        channel="web", kind=kind, stage="during", catalogued=True, gap_ms=1_800_000, begun_by_customer=begun,
        is_activity=begun and concern is None, concern=concern,
    )  # fmt: skip


VIEW, MAIL, CLOSE = traits("page_viewed"), traits("email_delivered", begun=False), traits("account_closed")
HELP, COMPLAINT = traits("call_ended", concern="help"), traits("complaint_opened", concern="complain")
BUY = traits("purchase")


def event(number: int, day: int, shape: tuple[Traits, int | None]) -> Admitted:
    kind, millipoints = shape
    at = T0 + day * DAY + number
    answer = None if millipoints is None else Answer(millipoints, millipoints > 50_000, kind)
    outcome = "failed" if number % 5 == 0 else "none"
    paid = measured(amount_minor=100 + number, currency=("EUR", "USD")[number % 2]) if kind is BUY else None
    step = Step(at, 0, event_key("test", str(number), at), kind.types[outcome], paid)
    return Admitted("customer:1", at + kind.gap_ms, step, kind, answer)


shapes = st.sampled_from(
    [
        (VIEW, None),
        (VIEW, 100_000),
        (VIEW, 25_000),
        (MAIL, None),
        (MAIL, 0),
        (CLOSE, None),
        (HELP, None),
        (COMPLAINT, None),
        (HELP, 10_000),
        (BUY, None),
    ]
)
drawn_events = st.lists(st.tuples(st.integers(0, 60), shapes), min_size=1, max_size=12).map(
    lambda drawn: [event(n, day, shape) for n, (day, shape) in enumerate(drawn)]
)


def visits(events: list[Admitted]) -> int:
    """Each touchpoint that counts as activity is a visit here: they lie far apart."""
    return sum(each.traits.is_activity for each in events)


def change(events: list[Admitted], known: list[Admitted]) -> CustomerChange:
    """The change by some events; `known` are all after it."""
    ordered = sorted(events, key=lambda each: each.step.at)
    return CustomerChange(ordered, visits(events), max([each.step.at for each in known], default=0))


def folded(score: Score[Any, Any], events: list[Admitted], sizes: list[int]) -> Any:
    state, done = None, 0
    for size in [*sizes, len(events)]:
        some = events[done : done + size]
        if some:
            state = score.fold(state, change(some, events[: done + size]), score.default_model)
        done += size
    return state


@SCORE
@given(events=drawn_events, data=st.data())
def test_any_order_and_any_batches_give_the_same_state(
    score: Score[Any, Any], events: list[Admitted], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(events))
    sizes = data.draw(st.lists(st.integers(1, 4), max_size=6))
    assert folded(score, shuffled, sizes) == folded(score, events, [])


@SCORE
@given(events=drawn_events, data=st.data())
def test_what_is_taken_out_leaves_the_state_as_if_it_had_never_been_there(
    score: Score[Any, Any], events: list[Admitted], data: st.DataObject
) -> None:
    removed = data.draw(st.lists(st.sampled_from(events), unique=True))
    left = [each for each in events if each not in removed]
    state, expected = folded(score, events, []), folded(score, left, []) if left else None
    if state is None:
        return
    last_seen_at = max([each.step.at for each in left], default=0)
    taken_out = CustomerChange(sorted(removed, key=lambda each: each.step.at), -visits(removed), last_seen_at)
    try:
        assert score.unfold(state, taken_out, score.default_model) == expected
    except NotReversible:
        assert expected is not None


@SCORE
@given(events=drawn_events)
def test_a_state_comes_back_from_its_row(score: Score[Any, Any], events: list[Admitted]) -> None:
    state = folded(score, events, [])
    if state is not None:
        row = score.row("customer:1", state, score.default_model)
        assert score.restore(row) == state
        assert row.model == f"{score.default_model.NAME} {score.default_model.version}"


@SCORE
@given(events=drawn_events, days=st.integers(0, 400))
def test_a_score_is_explained_as_of_any_moment(score: Score[Any, Any], events: list[Admitted], days: int) -> None:
    state = folded(score, events, [])
    if state is not None:
        reasons = score.explain(state, T0 + (60 + days) * DAY, score.default_model)
        assert reasons
        assert all(reason.code and reason.text for reason in reasons)


@SCORE
def test_events_that_do_not_concern_a_customers_score_make_no_state(score: Score[Any, Any]) -> None:
    mail = event(1, 0, (MAIL, None))
    assert score.fold(None, change([mail], [mail]), score.default_model) is None


def test_an_event_without_an_answer_leaves_satisfaction_as_it_is() -> None:
    [satisfaction] = [score for score in SCORES if score.table.name == "satisfaction"]
    answer, view = event(1, 0, (VIEW, 50_000)), event(2, 1, (VIEW, None))
    state = satisfaction.fold(None, change([answer], [answer]), satisfaction.default_model)
    assert satisfaction.fold(state, change([view], [answer, view]), satisfaction.default_model) is state


def test_more_answers_than_there_are_cannot_be_taken_out() -> None:
    [satisfaction] = [score for score in SCORES if score.table.name == "satisfaction"]
    answers = [event(n, n, (VIEW, 50_000)) for n in range(2)]
    state = satisfaction.fold(None, change(answers[:1], answers[:1]), satisfaction.default_model)
    with pytest.raises(ValueError, match="more answers"):
        satisfaction.unfold(state, change(answers, answers), satisfaction.default_model)


@pytest.mark.parametrize("score", published(), ids=lambda score: score.table.name)
def test_a_scores_declaration_has_the_fields_of_its_schema(score: Score[Any, Any]) -> None:
    assert score.schema_text is not None
    fields = [field["name"] for field in json.loads(score.schema_text)["fields"]]
    assert [column.name for column in score.table.published] == fields


def test_names_are_taken_once() -> None:
    for names in ([s.table.name for s in SCORES], [s.topic for s in published()]):
        assert len(names) == len(set(names))


@SCORE
def test_a_score_says_how_it_is_read_as_of_a_moment(score: Score[Any, Any]) -> None:
    functions, views = score.as_of_sql
    assert "create or replace function" in functions
    assert "CREATE OR REPLACE" in views
    parameters = score.default_model.parameters()
    restored = score.model(score.default_model.version, score.default_model.source, parameters)
    assert restored == score.default_model


@given(events=drawn_events, data=st.data())
def test_churn_risk_knows_all_evidence_whatever_came_before_the_first_visit(
    events: list[Admitted], data: st.DataObject
) -> None:
    """Scores are folded one after the other, each with the states of those before it."""
    shuffled = data.draw(st.permutations(events))
    states: dict[str, Any] = {}
    for n, each in enumerate(shuffled, 1):
        for score in SCORES:
            more = change([each], shuffled[:n])._replace(scores=states)
            state = score.fold(states.get(score.table.name), more, score.default_model)
            if state is not None:
                states[score.table.name] = state
    evidence, risk = states.get("customer_evidence"), states.get("churn_risk")
    if evidence is None:
        assert not any(each.answer or each.traits.concern for each in events)
    if risk is not None:
        assert risk.evidence == (evidence or NO_EVIDENCE)


def test_what_a_customer_has_paid_can_be_taken_out_again() -> None:
    [risk] = [score for score in SCORES if score.table.name == "churn_risk"]
    events = [event(1, 0, (VIEW, None)), event(2, 1, (BUY, None)), event(3, 2, (BUY, None)), event(4, 3, (VIEW, None))]
    state = risk.fold(None, change(events, events), risk.default_model)
    assert (state.payments, state.paid) == ({"EUR": 1, "USD": 1}, {"EUR": 102, "USD": 103})
    left = risk.unfold(state, change(events[1:2], events)._replace(visits=-1), risk.default_model)
    assert (left.payments, left.paid, left.activities) == ({"USD": 1}, {"USD": 103}, 3)
