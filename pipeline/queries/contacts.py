"""Contacts of journeys, with what went before them and with their answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection, text

from pipeline.catalogue import load
from pipeline.journey.step import Step, StepType
from pipeline.ledger.customers import IS_THERE
from pipeline.ledger.steps import parse_steps

#: Number of journeys that are fetched at once.
_FETCHED = 2_000


def journeys(
    connection: Connection,
    *,
    customer: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    answered: bool = False,
    progress: Callable[[int], None] = lambda _done: None,
) -> Iterator[tuple[str, Sequence[Step]]]:
    """Yield customers with the steps of each of their journeys that lie, in part, from `since` to `until` (exclusive).

    In no particular order; only journeys with an answer, if `answered`. `progress` is told how many are read.
    """
    for _, name, steps in named_journeys(
        connection, customer=customer, since=since, until=until, answered=answered, progress=progress
    ):
        yield name, steps


def named_journeys(
    connection: Connection,
    *,
    customer: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    answered: bool = False,
    progress: Callable[[int], None] = lambda _done: None,
) -> Iterator[tuple[str, str, Sequence[Step]]]:
    """Yield the same with each journey's id before the customer."""
    rows = connection.execute(
        text(f"""
            SELECT journey_id::text, customer, steps::text, keys FROM journey
            WHERE {IS_THERE}
              AND (CAST(:customer AS text) IS NULL OR customer = :customer)
              AND (CAST(:since AS timestamptz) IS NULL OR ended_at >= :since)
              AND (CAST(:until AS timestamptz) IS NULL OR started_at < :until)
              AND (NOT :answered OR steps @? '$[*].score')
        """),
        {"customer": customer, "since": since, "until": until, "answered": answered},
        execution_options={"yield_per": _FETCHED},
    )
    read = 0
    for some in rows.partitions():
        for journey_id, name, steps, keys in some:
            yield journey_id, name, parse_steps(steps, keys)
        read += len(some)
        progress(read)


def usual_waits(connection: Connection) -> dict[str, float]:
    """Return the mean wait of each touchpoint that has waits, in milliseconds, by CHANNEL/KIND."""
    rows = connection.execute(
        text("""
            SELECT channel || '/' || kind AS touchpoint, sum(wait_ms_sum)::float8 / sum(waits) AS wait
            FROM touchpoint_count GROUP BY channel, kind HAVING sum(waits) > 0
        """)
    )
    return {row.touchpoint: row.wait for row in rows}


def begun_by_customer(step_type: StepType) -> bool:
    """Return whether the customer began a step, by the step or by the catalogue."""
    return (step_type.begun_by or load().entry(step_type.channel, step_type.kind).initiated_by) == "customer"
