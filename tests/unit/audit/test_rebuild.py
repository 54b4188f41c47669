"""The rebuild in SQL gives what walking once over all touchpoints gives, whatever they are and in whatever order."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rebuilding import DAY, KNOWN, MINUTE, RULES, T0, Message, message, rebuilt
from recompute import recompute

from pipeline.audit import facts
from pipeline.audit.audit import prepare, rebuild
from pipeline.audit.workspace import Appender, workspace
from pipeline.contract.encode import touchpoint_record
from pipeline.touchpoint import Feedback, Touchpoint

SHAPES: list[dict[str, Any]] = [
    {"channel": "web", "kind": "page_viewed"},
    {"channel": "web", "kind": "checkout_started", "outcome": "failed"},
    {"channel": "web", "kind": "page_viewed", "stage": "after", "outcome": "succeeded"},
    {"channel": "email", "kind": "email_delivered"},
    {"channel": "email", "kind": "email_opened"},
    {"channel": "chat", "kind": "made_up"},
    {"channel": "call_centre", "kind": "call_queued", "outcome": "abandoned", "wait_ms": 5_000, "duration_ms": 7},
    {"channel": "web", "kind": "survey_answered", "feedback": Feedback("csat", 4.0)},
    {"channel": "web", "kind": "survey_answered", "feedback": Feedback("nps", 3.0), "stage": "during"},
    {
        "channel": "email", "kind": "survey_answered", "feedback": Feedback("sentiment", -0.4),
        "attributes": {"about": "call_centre/call_ended"},
    },
]  # fmt: skip

touchpoints = st.builds(
    lambda event, customer, minute, shape: Touchpoint(
        # what an event is follows from its id, so that a duplicate is one
        event_id=f"{event}-{shape}", source="shop", occurred_at=T0 + minute * MINUTE, customer_id=customer,
        **SHAPES[shape],
    ),
    st.integers(0, 3),
    st.sampled_from(["1", "2", 'a "quoted", ö\nname', "a\rb"]),
    st.one_of(st.integers(0, 40).map(lambda n: n * 15), st.integers(0, 20_000)),
    st.integers(0, len(SHAPES) - 1),
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(st.lists(touchpoints, max_size=150))
def test_journeys_counters_visits_and_scores_are_those_of_walking_once(drawn: list[Touchpoint]) -> None:
    expected = recompute([touchpoint_record(touchpoint) for touchpoint in drawn])
    with workspace(256) as space:
        rebuilt(space, [message(offset, touchpoint) for offset, touchpoint in enumerate(drawn)])
        journeys = {
            (customer, started, ended, count, tuple(sorted((c["key"], c["value"]) for c in channels)), failed, gave_up)
            for customer, started, ended, count, channels, failed, gave_up in space.rows(
                "SELECT customer, started_at, ended_at, touchpoints, channels::STRUCT(key VARCHAR, value BIGINT)[], "
                "failures, abandoned FROM journey"
            )
        }
        assert journeys == expected.journeys
        visits = space.rows("SELECT customer, visits, first_active_at, last_active_at FROM churn_risk")
        assert {customer: tuple(history) for customer, *history in visits} == expected.visits
        counts = {
            (stage, channel, kind): counted
            for stage, channel, kind, *counted in space.rows(
                "SELECT stage, channel, kind, events, answers, satisfied, failures, abandoned, waits, wait_ms_sum "
                "FROM touchpoint_count"
            )
        }
        names = ("events", "answers", "satisfied", "failures", "abandoned", "waits", "wait_ms_sum")
        assert counts == {at: [sums[name] for name in names] for at, sums in expected.counts.items()}
        [(processed, duplicates)] = space.rows("SELECT processed, duplicates FROM position")
        assert (processed, processed + duplicates) == (sum(j[3] for j in journeys), len(drawn))

        space.insert("found_model", [("satisfaction", "1", _MODEL, True)])
        space.run("expected", grace_ms=KNOWN.grace_ms, half_life_ms=RULES.half_life_ms, churn_half_life_ms=30 * DAY)
        scores = {c: (n, s) for c, n, s in space.rows("SELECT customer, answered, score FROM expected_satisfaction")}
        assert scores.keys() == expected.satisfaction.keys()
        for customer, (answered, score) in expected.satisfaction.items():
            assert scores[customer][0] == answered
            assert math.isclose(scores[customer][1], score, abs_tol=1e-6)


_MODEL = '{"half_life_days": 90, "prior_mean": 73, "prior_weight": 2, "answer_sd": 25}'


@settings(max_examples=10, deadline=None)
@given(st.lists(touchpoints, max_size=60), st.randoms(use_true_random=False))
def test_the_order_in_which_touchpoints_came_changes_nothing(drawn: list[Touchpoint], random: Any) -> None:
    shuffled = random.sample(drawn, len(drawn))

    def all_of(order: list[Touchpoint]) -> list[Any]:
        with workspace(256) as space:
            rebuilt(space, [message(offset, touchpoint) for offset, touchpoint in enumerate(order)])
            return [
                sorted(space.rows(f"SELECT {columns} FROM {table}"), key=repr)
                for table, columns in (
                    ("journey", "* EXCLUDE (id)"), ("churn_risk", "* EXCLUDE (id)"), ("touchpoint_count", "*"),
                    ("customer JOIN exact USING (id)", "customer, weight, weighted, about"),
                )
            ]  # fmt: skip

    assert all_of(drawn) == all_of(shuffled)


def test_a_long_journey_tells_its_first_and_last_hundred_touchpoints() -> None:
    long = [
        Touchpoint(
            event_id=str(n), source="shop", occurred_at=T0 + n * MINUTE, channel="web", kind="page_viewed",
            customer_id="1", outcome="failed" if n == 120 else "succeeded" if n == 3 else "none",
        )
        for n in range(250)
    ]  # fmt: skip
    with workspace(256) as space:
        rebuilt(space, [message(offset, touchpoint) for offset, touchpoint in enumerate(long)])
        [(count, omitted, outcome)] = space.rows("SELECT touchpoints, steps_omitted, outcome FROM journey")
        told = list(space.rows("SELECT place, occurred_at FROM step WHERE told ORDER BY place"))
    assert (count, omitted, outcome) == (250, 50, "succeeded")
    assert told == [(n + 1, T0 + (n if n < 100 else n + 50) * MINUTE) for n in range(200)]


def test_what_the_contract_refuses_is_quarantined_and_what_has_the_wrong_key_is_sent_on() -> None:
    good = Touchpoint("a", "shop", T0, channel="web", kind="page_viewed", customer_id="1")
    with workspace(256) as space:
        rebuilt(
            space,
            [
                message(0, good),
                Message(1, None, b"x"),
                Message(2, b"\1nonsense", None),
                message(3, good._replace(event_id="b"), name=b"other"),
                message(4, good._replace(event_id="b"), name=b"other", marks=(("pipeline-forwarded-from", b"0/3"),)),
                message(5, good._replace(event_id="c", occurred_at=0)),
                message(6, good._replace(event_id="d", occurred_at=RULES.now_ms + 2 * DAY)),
            ],
        )
        assert list(space.rows('SELECT "offset", reason FROM refused ORDER BY 1')) == [
            (1, "null_value"), (2, "bad_magic"), (4, "misrouted"), (5, "time_out_of_range"), (6, "time_out_of_range"),
        ]  # fmt: skip
        position = "SELECT processed, duplicates, quarantined, forwarded FROM position"
        assert list(space.rows(position)) == [(1, 0, 5, 1)]


def test_a_refusal_that_hung_on_its_moment_is_taken_from_the_tables() -> None:
    ahead = Touchpoint("a", "shop", T0 + 50 * DAY + 30 * 3_600_000, channel="web", kind="page_viewed", customer_id="1")
    near = ahead._replace(event_id="b", occurred_at=T0 + 50 * DAY)
    with workspace(256) as space:
        prepare(space, KNOWN)
        space.insert(
            "found_quarantine",
            [
                (0, 0, "time_out_of_range", None, None, 0),
                (0, 2, "time_out_of_range", None, None, 0),
                (0, 3, "unknown_schema", None, None, 0),
                (0, 4, "unprocessable", None, None, 0),
            ],
        )
        with Appender(space, "record") as appender:
            for offset, touchpoint in enumerate((ahead, ahead._replace(event_id="c"), near, near, near)):
                appender.add(facts.facts(message(offset, touchpoint), RULES).row or ())
        space.insert("stretch", [(0, 0, None)])
        rebuild(space, [], KNOWN, 1)
        # The first was too far ahead when it was processed and the second was not, which may be; the third never was.
        assert list(space.rows('SELECT "offset", reason FROM refused ORDER BY 1')) == [
            (0, "time_out_of_range"), (3, "unknown_schema"), (4, "unprocessable"),
        ]  # fmt: skip
        assert list(space.rows("SELECT processed, quarantined FROM position")) == [(2, 3)]


def test_a_correction_is_no_touchpoint_and_with_the_wrong_key_it_is_sent_on() -> None:
    ended = message(0, Touchpoint("x", "shop", T0, channel="web", kind="identity_ended", customer_id="1"))
    assert facts.facts(ended, RULES).row is None
    wrong = facts.facts(replace(ended, name=b"customer:2"), RULES).row
    assert wrong is not None
    assert True in wrong
