"""Tickets of a branch's queue system: arrival, wait, service or leaving, and the rating buttons at the exit."""

from __future__ import annotations

from pipeline.channels.fields import Adapter, Bad, Record, adapter, moment, need, need_moment, span, text
from pipeline.touchpoint import Feedback, Touchpoint

COLUMNS = (
    "ticket_id", "branch", "service", "customer_number", "issued_at", "called_at", "finished_at", "counter",
    "result", "rating",
)  # fmt: skip
RESULTS = ("served", "left", "no_show")
_RATINGS = ("1", "2", "3", "4", "5")


def reader(source: str = "branch-queue") -> Adapter:
    """Return an adapter for the tickets of the queue system `source`; times RFC 3339.

    `result` is served, left (the customer told the machine) or no_show (did not come when called, at called_at). A
    ticket gives `visit_started` at issued_at, then `counter_served` at called_at (with wait and duration), or
    `visit_abandoned` with the time until it was noticed: finished_at, else called_at. A `rating` of 1 to 5 becomes a
    CSAT answer on the counter. Tickets are numbered anew each day, so branch and time belong to the id. A ticket
    without a customer_number is a visitor of its own.
    """

    def read(record: Record) -> list[Touchpoint]:
        branch, issued_at = need(record, "branch"), need_moment(record, "issued_at")
        ticket = f"{branch}-{issued_at}-{need(record, 'ticket_id')}"
        customer = text(record, "customer_number")
        attributes = {"branch": branch}
        for name in ("service", "counter"):
            if value := text(record, name):
                attributes[name] = value
        started = Touchpoint(
            event_id=f"{ticket}-started",
            source=source,
            occurred_at=issued_at,
            channel="branch",
            kind="visit_started",
            customer_id=customer,
            anonymous_id=None if customer else f"{source}:{ticket}",
            subject=ticket,
            attributes=attributes,
        )
        return [started, *_ending(record, started), *_answer(record, started)]

    return adapter(read)


def _ending(record: Record, started: Touchpoint) -> list[Touchpoint]:
    result = need(record, "result")
    called_at, finished_at = moment(record, "called_at"), moment(record, "finished_at")
    if result == "served":
        if called_at is None:
            raise Bad("called_at is missing, though the result is served")
        wait = span(called_at, started.occurred_at, "called_at is before issued_at")
        lasted = None if finished_at is None else span(finished_at, called_at, "finished_at is before called_at")
        return [_next(started, "counter_served", called_at)._replace(
            outcome="succeeded", wait_ms=wait, duration_ms=lasted
        )]  # fmt: skip
    if result not in RESULTS:
        raise Bad(f"result is none of {', '.join(RESULTS)}")
    noticed = finished_at if finished_at is not None else called_at
    if noticed is None:
        return [_next(started, "visit_abandoned", started.occurred_at)._replace(outcome="abandoned")]
    wait = span(noticed, started.occurred_at, "finished_at or called_at is before issued_at")
    return [_next(started, "visit_abandoned", noticed)._replace(outcome="abandoned", wait_ms=wait)]


def _answer(record: Record, started: Touchpoint) -> list[Touchpoint]:
    rating = text(record, "rating")
    if rating is None:
        return []
    if rating not in _RATINGS:
        raise Bad("rating must be 1 to 5")
    at = moment(record, "finished_at") or moment(record, "called_at") or started.occurred_at
    judged = "branch/counter_served" if record.get("result") == "served" else "branch/visit_abandoned"
    answered = _next(started, "survey_answered", at)
    return [
        answered._replace(feedback=Feedback("csat", float(rating)), attributes={**started.attributes, "about": judged})
    ]


def _next(started: Touchpoint, kind: str, at: int) -> Touchpoint:
    assert started.subject is not None
    return started._replace(event_id=f"{started.subject}-{kind}", kind=kind, occurred_at=at)
