"""Call detail records: waits, abandoned calls, answered calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pipeline.channels import hashing
from pipeline.channels.fields import Adapter, Bad, Record, adapter, moment, need, need_moment, span, text
from pipeline.touchpoint import NO_ATTRIBUTES, Identifier, Touchpoint

COLUMNS = ("call_id", "queued_at", "ended_at")


class Call(NamedTuple):
    """One call that asked for an agent; times in epoch milliseconds.

    `outcome` is succeeded (answered), abandoned, or none (neither). `wait_ms` is the time in the queue, 0 for a call
    put through at once. `answered_at` is None when nobody answered; `ended_at` and `duration_ms` (of the talk) are None
    when that was not recorded.
    """

    call_id: str
    source: str
    queued_at: int
    wait_ms: int
    outcome: str
    answered_at: int | None = None
    ended_at: int | None = None
    duration_ms: int | None = None
    customer_id: str | None = None
    anonymous_id: str | None = None
    identifiers: tuple[Identifier, ...] = ()
    attributes: Mapping[str, str] = NO_ATTRIBUTES


def touchpoints(call: Call) -> list[Touchpoint]:
    """Return the touchpoints of a call.

    Always `call_queued`, with the wait and the outcome, so that abandoned ÷ events of it is the share of calls that
    were abandoned; then `call_abandoned` (with the wait again), or `call_answered` and `call_ended` (with the
    duration).
    """
    queued = Touchpoint(
        event_id=f"{call.call_id}-queued",
        source=call.source,
        occurred_at=call.queued_at,
        channel="call_centre",
        kind="call_queued",
        customer_id=call.customer_id,
        anonymous_id=call.anonymous_id,
        identifiers=call.identifiers,
        outcome=call.outcome,
        wait_ms=call.wait_ms,
        subject=call.call_id,
        attributes=call.attributes,
    )
    touchpoints = [queued]
    if call.outcome == "abandoned":
        given_up = queued._replace(
            event_id=f"{call.call_id}-abandoned", occurred_at=call.queued_at + call.wait_ms, kind="call_abandoned"
        )
        touchpoints.append(given_up)
    if call.answered_at is not None:
        plain = queued._replace(wait_ms=None, outcome="none")
        answered = plain._replace(
            event_id=f"{call.call_id}-answered", occurred_at=call.answered_at, kind="call_answered"
        )
        touchpoints.append(answered)
        if call.ended_at is not None:
            ended = plain._replace(
                event_id=f"{call.call_id}-ended",
                occurred_at=call.ended_at,
                kind="call_ended",
                duration_ms=call.duration_ms,
            )
            touchpoints.append(ended)
    return touchpoints


def reader(source: str = "pbx", country: str | None = None) -> Adapter:
    """Return an adapter for the call records of the exchange `source`.

    Fields: call_id, queued_at, answered_at (empty: abandoned), ended_at, customer_number, caller (a phone number;
    hashed; `country` is that of numbers without +) and queue; times RFC 3339. A call without customer_number and caller
    (a withheld number) is a customer of its own.
    """

    def read(record: Record) -> list[Touchpoint]:
        call_id = need(record, "call_id")
        queued_at, answered_at = need_moment(record, "queued_at"), moment(record, "answered_at")
        ended_at = need_moment(record, "ended_at")
        left_queue = ended_at if answered_at is None else answered_at
        wait = span(left_queue, queued_at, "queued_at is after answered_at or ended_at")
        customer, caller = text(record, "customer_number"), text(record, "caller")
        queue = text(record, "queue")
        return touchpoints(
            Call(
                call_id=call_id,
                source=source,
                queued_at=queued_at,
                wait_ms=wait,
                outcome="abandoned" if answered_at is None else "succeeded",
                answered_at=answered_at,
                ended_at=None if answered_at is None else ended_at,
                duration_ms=None
                if answered_at is None
                else span(ended_at, answered_at, "answered_at is after ended_at"),
                customer_id=customer,
                anonymous_id=None if customer or caller else f"{source}:{call_id}",
                identifiers=_phone(caller, country),
                attributes={"queue": queue} if queue else NO_ATTRIBUTES,
            )
        )

    return adapter(read)


def _phone(caller: str | None, country: str | None) -> tuple[Identifier, ...]:
    try:
        return () if caller is None else (hashing.identifier("phone", caller, country),)
    except ValueError as error:
        raise Bad(f"caller {error}") from None
