"""The audit's cases, in SQL, are those that the worker makes, whatever the touchpoints are."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from memory import WRITERS, record
from rebuilding import KNOWN, MINUTE, T0, message, rebuilt
from worker_in_memory import CASE_RULES

from pipeline import catalogue
from pipeline.audit import reference
from pipeline.audit.workspace import workspace
from pipeline.cases import types
from pipeline.cases.case import CaseChange, changed_case
from pipeline.cases.rules import CaseRules
from pipeline.flow.admission import Admission
from pipeline.flow.slices import Slice
from pipeline.journey import policy
from pipeline.touchpoint import Feedback, Touchpoint

COLUMNS = (
    "customer", "subject", "type", "status", "opened_at", "last_at", "closed_at", "closes_at", "due_at", "late_ms",
    "touchpoints", "contacts", "repeats", "hand_overs", "reopened", "first_channel", "waits", "wait_ms", "outcome",
    "answers", "satisfaction",
)  # fmt: skip
SHAPES: list[dict[str, Any]] = [
    {"channel": "web", "kind": "page_viewed"},
    {"channel": "web", "kind": "ticket_opened"},
    {"channel": "email", "kind": "ticket_opened", "begun_by": "company"},
    {"channel": "email", "kind": "ticket_answered", "begun_by": "customer"},
    {"channel": "email", "kind": "ticket_resolved", "outcome": "succeeded"},
    {"channel": "web", "kind": "ticket_reopened"},
    {"channel": "call_centre", "kind": "call_queued", "outcome": "abandoned", "wait_ms": 5_000},
    {"channel": "call_centre", "kind": "call_transferred"},
    {"channel": "web", "kind": "purchase", "amount_minor": 5, "currency": "EUR"},
    {"channel": "partner", "kind": "order_delivered"},
    {"channel": "web", "kind": "return_requested"},
    {"channel": "web", "kind": "complaint_opened"},
    {"channel": "chat", "kind": "made_up"},
    {"channel": "web", "kind": "survey_answered", "feedback": Feedback("csat", 4.0)},
    {
        "channel": "web", "kind": "survey_answered", "feedback": Feedback("nps", 3.0),
        "attributes": {"about": "web/purchase"},
    },
]  # fmt: skip
touchpoints = st.builds(
    lambda event, subject, minute, shape, due: Touchpoint(
        event_id=f"{event}-{subject}-{shape}-{due}", source="shop", occurred_at=T0 + minute * MINUTE, customer_id="1",
        subject=subject, sequence=event, due_at=None if due is None else T0 + due * MINUTE, **SHAPES[shape],
    ),
    st.integers(0, 3),
    st.sampled_from([None, "null", "s-1", 'ö "2"']),
    st.integers(0, 30).map(lambda n: n * 15),
    st.integers(0, len(SHAPES) - 1),
    st.none() | st.integers(0, 400),
)  # fmt: skip


def live(drawn: list[Touchpoint], rules: CaseRules) -> list[tuple[Any, ...]]:
    """What the worker makes of touchpoints."""
    records = [record(each, n) for n, each in enumerate(drawn)]
    admission = Admission(catalogue.load(), policy.read(None), 1)
    [admitted] = admission.admit([Slice(0, 0, len(records), records)], WRITERS, T0 + 1_000 * MINUTE)
    cases: dict[str, dict[bytes, Any]] = {}
    for event in admitted.admitted:
        if event.step.subject is not None:
            cases.setdefault(event.step.subject, {}).setdefault(event.step.key, event.step)
    rows = [
        changed_case(None, CaseChange("customer:1", subject, list(steps.values())), rules)
        for subject, steps in sorted(cases.items())
    ]
    return [
        (
            *[getattr(row, name) for name in COLUMNS],
            ",".join(f"{channel}={count}" for channel, count in sorted(row.channels.items())),
            ",".join(f"{each.stage}@{each.at}" for each in row.stages),
            len(row.keys) // 8,
        )
        for row in rows
        if row is not None
    ]


def rebuilt_cases(drawn: list[Touchpoint], known: reference.Reference = KNOWN) -> list[tuple[Any, ...]]:
    """What the audit makes of them."""
    with workspace(256) as space:
        rebuilt(space, [message(offset, touchpoint) for offset, touchpoint in enumerate(drawn)], known)
        columns = ", ".join(COLUMNS)
        listed = "CASE WHEN status = 'overfull' THEN 0 ELSE touchpoints END"
        return list(space.rows(f"SELECT {columns}, channels, stages, {listed} FROM customer_case ORDER BY subject"))


@settings(max_examples=20, deadline=None)
@given(st.lists(touchpoints, max_size=60))
def test_cases_are_those_of_the_worker(drawn: list[Touchpoint]) -> None:
    assert rebuilt_cases(drawn) == live(drawn, CASE_RULES)


def test_a_case_with_too_many_touchpoints_is_counted_only() -> None:
    many = [
        Touchpoint(str(n), "shop", T0 + n, channel=("web", "app")[n % 2], kind="purchase", customer_id="1", subject="s")
        for n in range(1_001)
    ]
    [row] = rebuilt_cases(many)
    assert (row[2], row[3], row[10]) == ("unknown", "overfull", 1_001)
    assert [row] == live(many, CASE_RULES)
    [row] = rebuilt_cases(many[:-1])
    assert (row[2], row[3], row[10]) == ("order", "open", 1_000)
    assert [row] == live(many[:-1], CASE_RULES)


def test_the_policy_goes_before_the_types(tmp_path: Any) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('[case.ticket]\nclosed_by = ["answered"]\ncloses_after = "2d"\n')
    opened = Touchpoint("a", "shop", T0, channel="web", kind="ticket_opened", customer_id="1", subject="s")
    solved = opened._replace(event_id="b", kind="ticket_resolved", occurred_at=T0 + MINUTE)
    rules = CaseRules(catalogue.load(), types.load(), policy.read(file).cases)
    for drawn in ([opened], [opened, solved], [opened, solved._replace(kind="ticket_answered")]):
        assert rebuilt_cases(drawn, reference.read(file)) == live(drawn, rules)
