"""The job without its servers: the same events give the same tables, whatever happens on the way."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import DAY, MINUTE, NOW, T0, Memory, Record, partition_for, record, tables

from pipeline.journey.step import Measures, event_key
from pipeline.scores.protocol import CustomerChange
from pipeline.scores.satisfaction.score import SATISFACTION
from pipeline.topics import FORWARDED_HEADER
from pipeline.touchpoint import Feedback, Touchpoint, own_key


def touchpoint(event_id: str, minute: float = 0, customer: str = "1", **fields: Any) -> Touchpoint:
    given_fields: dict[str, Any] = {"channel": "web", "kind": "page_viewed", **fields}
    return Touchpoint(
        event_id=event_id, source="shop", occurred_at=T0 + int(minute * MINUTE), customer_id=customer, **given_fields
    )


events = st.builds(
    lambda i, minute, customer, shape: (i, minute, customer, shape),
    st.integers(0, 10**9),
    st.integers(0, 3000),
    st.sampled_from("123"),
    st.sampled_from(
        [
            {"channel": "web", "kind": "page_viewed"},
            {"channel": "web", "kind": "checkout_started", "outcome": "failed"},
            {"channel": "email", "kind": "email_delivered"},
            {"channel": "email", "kind": "email_opened"},
            {"channel": "call_centre", "kind": "call_queued", "outcome": "abandoned", "wait_ms": 5000},
            {"channel": "web", "kind": "survey_answered", "feedback": Feedback("csat", 4.0)},
            {"channel": "web", "kind": "survey_answered", "feedback": Feedback("nps", 3.0)},
            {"channel": "web", "kind": "account_closed"},
            {"channel": "web", "kind": "purchase", "begun_by": "company", "sequence": 1},
            {"channel": "partner", "kind": "order_delivered", "due_at": T0, "sequence": 2},
        ]
    ),
)


def made(drawn: list[tuple[int, int, str, dict[str, Any]]]) -> list[Touchpoint]:
    return [touchpoint(f"{n}-{i}", minute, customer, **shape) for n, (i, minute, customer, shape) in enumerate(drawn)]


def run(touchpoints: list[Touchpoint], sizes: list[int], *, partitions: int = 1, most_customers: int = 1000) -> Any:
    """Process in slices of the given sizes, over and over, and let the clock close what is open."""
    ledgers = [Memory(number=n, partitions=partitions, most_customers=most_customers) for n in range(partitions)]
    queues = [[t for t in touchpoints if partition_for(t, partitions) == n] for n in range(partitions)]
    for ledger, queue in zip(ledgers, queues, strict=True):
        at = turn = 0
        while at < len(queue):
            size = sizes[turn % len(sizes)]
            ledger.process([record(t, at + i) for i, t in enumerate(queue[at : at + size])])
            at, turn = at + size, turn + 1
        ledger.idle(NOW)
    return tables(*ledgers)


@settings(max_examples=60, deadline=None)
@given(
    drawn=st.lists(events, max_size=40),
    sizes=st.lists(st.integers(1, 15), min_size=1, max_size=4),
    partitions=st.integers(1, 3),
    most_customers=st.integers(1, 3),
    data=st.data(),
)
def test_the_same_events_give_the_same_tables_in_any_order_slices_partitions_and_with_any_cache(
    drawn: Any, sizes: list[int], partitions: int, most_customers: int, data: st.DataObject
) -> None:
    touchpoints = made(drawn)
    shuffled = data.draw(st.permutations(touchpoints))
    assert run(touchpoints, [1000]) == run(shuffled, sizes, partitions=partitions, most_customers=most_customers)


@settings(max_examples=40, deadline=None)
@given(drawn=st.lists(events, min_size=1, max_size=30), data=st.data())
def test_everything_published_twice_gives_the_same_tables(drawn: Any, data: st.DataObject) -> None:
    touchpoints = made(drawn)
    twice = data.draw(st.permutations(touchpoints + touchpoints))
    assert run(touchpoints, [7]) == run(twice, [3])


@settings(max_examples=40, deadline=None)
@given(drawn=st.lists(events, min_size=1, max_size=30), crashes=st.lists(st.booleans(), min_size=30, max_size=30))
def test_crashes_before_and_after_the_commit_change_nothing(drawn: Any, crashes: list[bool]) -> None:
    touchpoints = made(drawn)
    ledger = Memory()
    for i, t in enumerate(touchpoints):
        if crashes[i]:
            ledger.attempt([record(t, i)])  # made and lost
            ledger.restart()
        ledger.process([record(t, i)])
        if crashes[-i]:
            ledger.restart()
    ledger.idle(NOW)
    assert tables(ledger) == run(touchpoints, [1000])


@settings(max_examples=40, deadline=None)
@given(drawn=st.lists(events, min_size=1, max_size=40), sizes=st.lists(st.integers(1, 9), min_size=1, max_size=3))
def test_revisions_of_a_journey_go_up_one_by_one_and_the_last_is_the_row(drawn: Any, sizes: list[int]) -> None:
    ledger = Memory()
    at = turn = 0
    touchpoints = made(drawn)
    while at < len(touchpoints):
        size = sizes[turn % len(sizes)]
        ledger.process([record(t, at + i) for i, t in enumerate(touchpoints[at : at + size])])
        at, turn = at + size, turn + 1
    ledger.idle(NOW)
    published: dict[str, list[Any]] = {}
    for batch in ledger.batches:
        for row in batch.journeys:
            published.setdefault(row.journey_id, []).append(row)
    for journey_id, rows in published.items():
        assert [row.revision for row in rows] == list(range(1, len(rows) + 1))
        assert rows[-1] == ledger.journeys[journey_id]
    merged = [row for row in ledger.journeys.values() if row.status == "merged"]
    assert all(row.merged_into in ledger.journeys and row.touchpoints == 0 for row in merged)
    assert sum(row.touchpoints for row in ledger.journeys.values()) == len(touchpoints)
    assert sum(batch.open_change for batch in ledger.batches) == 0


def test_a_journey_stays_open_until_event_time_has_passed_its_cover_and_the_grace() -> None:
    ledger = Memory()
    ledger.process([record(touchpoint("a"))])
    ledger.process([record(touchpoint("b", 50, customer="2"), 1)])
    assert [row.status for row in ledger.journeys.values()] == ["open", "open"]
    ledger.process([record(touchpoint("c", 50 + 1 / 60, customer="2"), 2)])
    assert {row.customer: row.status for row in ledger.journeys.values()} == {
        "customer:1": "closed",
        "customer:2": "open",
    }


def test_an_idle_partition_closes_its_last_journey_by_the_wall_clock() -> None:
    ledger = Memory()
    ledger.process([record(touchpoint("a"))])
    assert ledger.idle(T0 + 50 * MINUTE).journeys == []
    closing = ledger.idle(T0 + 50 * MINUTE + 1)
    assert [(row.status, row.revision) for row in closing.journeys] == [("closed", 2)]
    assert closing.closed == 1
    assert ledger.idle(T0 + DAY).journeys == []


def test_a_late_touchpoint_revises_a_closed_journey_and_is_counted_as_late() -> None:
    ledger = Memory()
    ledger.process([record(touchpoint("a"))])
    ledger.idle(T0 + DAY)
    ledger.restart()
    batch = ledger.process([record(touchpoint("b", 10), 1)])
    assert [(row.touchpoints, row.status, row.revision) for row in batch.journeys] == [(2, "closed", 3)]
    assert batch.late == {"web": 1}


def test_a_journey_that_came_and_was_absorbed_within_one_slice_is_never_told() -> None:
    ledger = Memory()
    batch = ledger.process(
        [record(t, i) for i, t in enumerate([touchpoint("a"), touchpoint("b", 50), touchpoint("c", 25)])]
    )
    assert [(row.touchpoints, row.revision, row.status) for row in batch.journeys] == [(3, 1, "open")]


def test_a_touchpoint_with_the_wrong_key_is_sent_on_once_with_the_right_one() -> None:
    ledger = Memory()
    wrong = record(touchpoint("a"), key=b"somebody")
    batch = ledger.process([wrong])
    [sent] = batch.forwarded
    assert sent.key == b"customer:1"
    assert sent.value == wrong.value
    assert (FORWARDED_HEADER, b"0/0") in sent.headers
    assert batch.processed == 0

    again = ledger.process([Record(1, sent.key, sent.value, headers=sent.headers)])
    assert (again.processed, again.forwarded) == (1, [])
    still_wrong = ledger.process([Record(2, b"somebody", sent.value, headers=sent.headers)])
    assert [refused.why.reason for refused in still_wrong.refused] == ["misrouted"]


def test_a_touchpoint_on_another_partition_than_its_key_says_is_sent_on() -> None:
    t = touchpoint("a")
    elsewhere = 1 - partition_for(t, 2)
    batch = Memory(number=elsewhere, partitions=2).process([record(t)])
    assert [sent.key for sent in batch.forwarded] == [(own_key(t) or "").encode()]


def test_a_bad_record_is_refused_and_the_rest_of_its_slice_goes_through() -> None:
    ledger = Memory()
    bad = [
        Record(0, b"k", None),
        record(touchpoint("a"), 1),
        record(touchpoint("b", feedback=Feedback("csat", 9.0)), 2),
        record(touchpoint("c", feedback=Feedback("nps", float("nan"))), 3),
        record(touchpoint("d")._replace(occurred_at=0), 4),
        record(touchpoint("e")._replace(occurred_at=NOW + DAY), 5),
        record(touchpoint("f", wait_ms=-1), 6),
        record(touchpoint("g", customer="x\0y"), 7),
        record(touchpoint("h")._replace(customer_id=None), 8),
        record(touchpoint("i", kind="Page View"), 9),
        record(touchpoint("j"), 10),
    ]
    batch = ledger.process(bad)
    assert [(r.record.offset, r.why.reason) for r in batch.refused] == [
        (0, "null_value"),
        (2, "invalid_feedback"),
        (3, "invalid_feedback"),
        (4, "time_out_of_range"),
        (5, "time_out_of_range"),
        (6, "invalid_value"),
        (7, "invalid_text"),
        (8, "no_customer"),
        (9, "invalid_text"),
    ]
    assert batch.processed == 2
    assert batch.processed + batch.duplicates + len(batch.refused) == len(bad)


def test_a_day_less_a_millisecond_ahead_is_still_admitted() -> None:
    assert Memory().process([record(touchpoint("a")._replace(occurred_at=NOW + DAY - 1))]).processed == 1


def test_a_delivered_email_is_no_activity_of_the_customers() -> None:
    ledger = Memory()
    ledger.process([record(touchpoint("a", channel="email", kind="email_delivered"))])
    assert ledger.churn == {}
    ledger.process([record(touchpoint("b", 60, channel="web"), 1)])
    assert ledger.churn["customer:1"].visits == 1


def test_nobody_without_feedback_gets_a_satisfaction() -> None:
    ledger = Memory()
    ledger.process([record(touchpoint("a")), record(touchpoint("b", customer="2", feedback=Feedback("csat", 5)), 1)])
    assert set(ledger.satisfaction) == {"customer:2"}


def test_an_answer_that_is_admitted_again_as_a_step_can_be_taken_out_of_the_score_that_it_was_counted_in() -> None:
    ledger = Memory()
    told = touchpoint("a", channel="email", kind="survey_answered", feedback=Feedback("csat", 4))
    judging = told._replace(event_id="b", attributes={"about": "call_centre/call_ended"})
    ledger.process([record(told), record(judging, 1)])
    [row] = ledger.journeys.values()
    assert sorted((step.measures.about or "") for step in row.steps if step.measures) == ["", "call_centre/call_ended"]
    both = ledger.satisfaction["customer:1"].about
    assert [name for name, _ in both] == ["call_centre/call_ended", "email/survey_answered"]
    events = [ledger.admission.readmit("customer:1", step) for step in row.steps]
    state = SATISFACTION.restore(ledger.satisfaction["customer:1"])
    assert SATISFACTION.unfold(state, CustomerChange(events, 0, 0), SATISFACTION.default_model) is None
    assert SATISFACTION.fold(None, CustomerChange(events, 0, 0), SATISFACTION.default_model) == state


def test_an_answer_judges_the_touchpoint_that_it_is_about() -> None:
    ledger = Memory()
    answer = touchpoint("a", channel="email", kind="survey_answered", feedback=Feedback("csat", 5))
    ledger.process([record(answer._replace(attributes={"about": "call_centre/call_ended"}))])
    judged = {key: row.answers for key, row in ledger.counts.items() if row.answers}
    assert judged == {("after", "call_centre", "call_ended"): 1}


def test_an_answer_is_kept_with_what_was_said_once_and_without_what_can_not_be_stored() -> None:
    ledger = Memory()
    said = touchpoint("a", 1, kind="survey_answered", feedback=Feedback("nps", 3.0, "nul\0!"), subject="case-1")
    unsaid = touchpoint(
        "b", 2, kind="survey_answered", feedback=Feedback("sentiment", 0.0), attributes={"about": "web/x"}
    )
    for event in (said, said, unsaid, touchpoint("c", 3)):
        ledger.process([record(event)])
    kept = [(row.instrument, row.score, row.channel, row.kind, row.subject) for row in ledger.ledger.feedback.values()]
    assert kept == [("nps", 3.0, "web", "survey_answered", "case-1"), ("sentiment", 0.0, "web", "x", "")]
    assert list(ledger.ledger.verbatims.values()) == ["nul\ufffd!"]
    neutral = {key[2]: row.neutral for key, row in ledger.counts.items() if row.answers}
    assert neutral == {"survey_answered": 0, "x": 1}


def test_an_unknown_kind_is_accepted_and_marked_as_uncatalogued() -> None:
    [row] = Memory().process([record(touchpoint("a", kind="tea_served"))]).counts
    assert (row.kind, row.catalogued, row.stage) == ("tea_served", False, "unknown")


def test_an_answer_about_what_is_no_kind_judges_its_own_touchpoint() -> None:
    for about in ("web/" + "x" * 9000, "web/Not A Kind", "fax/page_viewed", "nothing", "web/a\0b"):
        ledger = Memory()
        answer = touchpoint("a", kind="survey_answered", feedback=Feedback("csat", 5), attributes={"about": about})
        ledger.process([record(answer)])
        assert [kind for (_, _, kind), row in ledger.counts.items() if row.answers] == ["survey_answered"]


def test_a_producer_whose_clock_is_ahead_does_not_close_everybodys_journeys() -> None:
    ledger = Memory()
    ledger.process([record(touchpoint("a"))], now=T0)
    ledger.process([record(touchpoint("ahead", 23 * 60, customer="2"), 1)], now=T0 + MINUTE)
    assert {row.status for row in ledger.journeys.values()} == {"open"}
    assert ledger.watermark == T0 + MINUTE


def test_a_currency_without_an_amount_is_refused() -> None:
    batch = Memory().process([record(touchpoint("a", currency="EUR")), record(touchpoint("b", amount_minor=1), 1)])
    assert [refused.why.reason for refused in batch.refused] == ["invalid_value", "invalid_value"]


def test_a_long_journey_knows_all_of_its_touchpoints_whatever_the_order_slices_and_restarts() -> None:
    events = [
        Touchpoint(f"e{n}", "s", T0 + n * 20 * MINUTE, channel="web", kind="page_viewed", customer_id="c")
        for n in range(700)
    ]
    in_order, shuffled = Memory(), Memory()
    in_order.process([record(event) for event in events])
    for first in range(0, len(events), 35):
        # 467 and 700 have no divisor in common: each event once, far apart at first, so that journeys are merged.
        shuffled.process([record(events[n * 467 % 700]) for n in range(first, first + 35)])
        shuffled.restart()
    shuffled.idle(NOW)
    in_order.idle(NOW)
    assert tables(shuffled) == tables(in_order)
    [row] = [row for row in shuffled.journeys.values() if row.merged_into is None]
    assert (row.touchpoints, len(row.keys), row.steps_omitted) == (700, 700 * 8, 500)
    again = shuffled.process([record(event) for event in events])
    assert (again.processed, again.duplicates) == (0, 700)


def test_events_of_the_same_moment_are_in_the_order_that_the_source_gives_them() -> None:
    kinds = ["order_delivered", "order_shipped", "purchase", "checkout_started"]
    events = [touchpoint(kind, 1, kind=kind, sequence=3 - place) for place, kind in enumerate(kinds)]
    for arriving in (events, events[::-1]):
        ledger = Memory()
        for n, event in enumerate(arriving):
            ledger.process([record(event, n)])
        [row] = ledger.journeys.values()
        assert [step.type.kind for step in row.steps] == kinds[::-1]


def test_of_duplicates_that_say_different_things_the_first_to_come_counts() -> None:
    ledger = Memory()
    said: list[dict[str, Any]] = [
        {"duration_ms": 5, "outcome": "succeeded"},
        {},
        {"wait_ms": 7, "outcome": "abandoned"},
        {"feedback": Feedback("csat", 1.0)},
    ]
    batch = ledger.process([record(touchpoint("same", 1, **fields), n) for n, fields in enumerate(said)])
    assert (batch.processed, batch.duplicates) == (1, 3)
    [row] = batch.journeys
    assert [step.measures for step in row.steps] == [Measures(duration_ms=5)]
    assert row.outcome == "succeeded"
    assert not batch.scores["satisfaction"]
    [counts] = batch.counts
    assert counts.events == 1


@pytest.mark.parametrize("sizes", [[2], [1]])
def test_of_duplicates_with_different_sequences_the_first_to_come_counts_whatever_the_slices(sizes: list[int]) -> None:
    copies = [
        touchpoint("same", 1, sequence=5, begun_by="company", due_at=T0),
        touchpoint("same", 1, sequence=2, begun_by="customer"),
    ]
    assert run(copies, sizes) == run(copies[:1], [1])
    assert run(copies[::-1], sizes) == run(copies[1:], [1])


@settings(max_examples=40, deadline=None)
@given(order=st.permutations(range(6)), sizes=st.lists(st.integers(1, 6), min_size=1, max_size=3), twice=st.booleans())
def test_steps_of_one_moment_are_in_the_order_of_their_sequence_whatever_the_order_of_arrival(
    order: list[int], sizes: list[int], twice: bool
) -> None:
    events = [touchpoint(f"e{n}", 1, sequence=n or None, outcome="failed" if n == 5 else "succeeded") for n in range(6)]
    arrived = [events[n] for n in order]
    ledger = Memory()
    at = turn = 0
    queue = arrived * (2 if twice else 1)
    while at < len(queue):
        size = sizes[turn % len(sizes)]
        ledger.process([record(t, at + i) for i, t in enumerate(queue[at : at + size])])
        ledger.restart()
        at, turn = at + size, turn + 1
    [row] = ledger.journeys.values()
    assert [step.key for step in row.steps] == [event_key("shop", f"e{n}", T0 + MINUTE) for n in range(6)]
    assert [step.sequence for step in row.steps] == list(range(6))
    assert row.outcome == "failed"


def test_who_began_it_goes_by_the_event_before_the_catalogue() -> None:
    ledger = Memory()
    ledger.process([record(touchpoint("a", begun_by="company"))])
    assert ledger.churn == {}
    assert [row.begun_by_customer for row in ledger.journeys.values()] == [False]
    ledger.process([record(touchpoint("b", 60, begun_by="customer"), 1)])
    assert ledger.churn["customer:1"].visits == 1
    assert sorted(row.begun_by_customer for row in ledger.journeys.values()) == [False, True]
    [(_, counted)] = ledger.counts.items()
    assert counted.events == 2


def test_a_touchpoint_that_is_admitted_again_as_a_step_keeps_who_began_it_its_order_and_its_lateness() -> None:
    ledger = Memory()
    ledger.process([record(touchpoint("a", 1, begun_by="company", sequence=7, due_at=T0, stage="after"))])
    [row] = ledger.journeys.values()
    [step] = row.steps
    assert (step.sequence, step.type.begun_by, step.measures) == (7, "company", Measures(late_ms=MINUTE))
    again = ledger.admission.readmit("customer:2", step)
    assert again.step == step
    assert not again.traits.begun_by_customer
    assert not again.traits.is_activity
