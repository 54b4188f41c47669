"""Loading what the ledger holds of customers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from sys import intern
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.flow.state import Customer
from pipeline.journey.journey import Journey
from pipeline.journey.step import KEY_BYTES
from pipeline.ledger import steps
from pipeline.ledger.moments import sql_moment, sql_ms
from pipeline.satisfaction.estimate import Answers

JOURNEY_COLUMNS = f"""
    journey_id::text, customer, revision, status,
    {sql_ms("started_at")} AS started_at, {sql_ms("ended_at")} AS ended_at, {sql_ms("covers_until")} AS covers_until,
    touchpoints, channels, outcome, failures, abandoned, begun_by_customer, steps::text AS steps, steps_omitted,
    merged_into::text, keys"""

# Statements are planned once, perhaps while the tables are empty. OFFSET 0 keeps a subquery one that is run for each
# row before it, through its index, however little there was to read then.

# A customer's journeys are disjoint, so of those that begin before `since` only the last can reach it.
_JOURNEYS = text(f"""
    SELECT {JOURNEY_COLUMNS}
    FROM json_to_recordset(CAST(:wanted AS json)) AS wanted (name text, since bigint)
    CROSS JOIN LATERAL (
        SELECT * FROM journey
        WHERE customer = wanted.name AND merged_into IS NULL AND started_at >= coalesce(
            (SELECT max(before.started_at) FROM journey AS before
             WHERE before.customer = wanted.name AND before.merged_into IS NULL
               AND before.started_at < {sql_moment("wanted.since")}),
            '-infinity')
        OFFSET 0
    ) AS found
    ORDER BY customer, found.started_at
""")

_SCORES = text(f"""
    SELECT customer,
           s.answered, s.weight::text AS weight, s.weighted::text AS weighted, {sql_ms("s.as_of")} AS answered_at,
           r.visits, {sql_ms("r.first_active_at")} AS first_active_at, {sql_ms("r.last_active_at")} AS last_active_at,
           {sql_ms("r.account_closed_at")} AS account_closed_at, {sql_ms("r.as_of")} AS risk_as_of
    FROM json_array_elements_text(CAST(:names AS json)) AS wanted (customer)
    LEFT JOIN LATERAL (SELECT * FROM satisfaction WHERE satisfaction.customer = wanted.customer OFFSET 0) AS s
        USING (customer)
    LEFT JOIN LATERAL (SELECT * FROM churn_risk WHERE churn_risk.customer = wanted.customer OFFSET 0) AS r
        USING (customer)
    WHERE s.customer IS NOT NULL OR r.customer IS NOT NULL
""")

_DUE = text(f"""
    SELECT number AS partition, customer, {sql_ms("min(started_at)")} AS started_at
    FROM (
        SELECT number, customer, started_at
        FROM unnest(CAST(:partitions AS integer[]), CAST(:until AS bigint[])) AS now (number, until)
        CROSS JOIN LATERAL (
            SELECT customer, started_at FROM journey
            WHERE partition = now.number AND status = 'open' AND covers_until < {sql_moment("now.until")}
            OFFSET 0
        ) AS found
        LIMIT :most
    ) AS due
    GROUP BY number, customer
""")


async def load(connection: AsyncConnection, wanted: Mapping[str, int]) -> dict[str, Customer]:
    """What is known of customers: their scores, and their journeys from the given times (epoch ms) on."""
    if not wanted:
        return {}
    customers = {key: Customer(key, since) for key, since in wanted.items()}
    # psycopg writes an array of texts many times more slowly than orjson
    named = orjson.dumps([{"name": name, "since": since} for name, since in wanted.items()]).decode()
    for row in await connection.execute(_JOURNEYS, {"wanted": named}):
        customer = customers[row.customer]
        customer.journeys.append(_journey(row, customer.key))
    for row in await connection.execute(_SCORES, {"names": orjson.dumps(list(wanted)).decode()}):
        _add_scores(customers[row.customer], row)
    return customers


async def due(
    connection: AsyncConnection, watermarks: Mapping[int, int], grace_ms: int, most: int
) -> dict[int, dict[str, int]]:
    """Whose open journeys event time has passed: partition → customer → the earliest such journey's start (epoch ms).

    `watermarks` are the partitions' event times; at most `most` journeys are looked at.
    """
    found: dict[int, dict[str, int]] = {}
    until = [watermark - grace_ms for watermark in watermarks.values()]
    for row in await connection.execute(_DUE, {"partitions": list(watermarks), "until": until, "most": most}):
        found.setdefault(row.partition, {})[row.customer] = row.started_at
    return found


async def count_open(connection: AsyncConnection, partitions: Iterable[int]) -> dict[int, int]:
    """How many journeys are open in each partition."""
    rows = await connection.execute(
        text("SELECT partition, count(*) AS n FROM journey WHERE status = 'open' AND partition = ANY(:p) GROUP BY 1"),
        {"p": list(partitions)},
    )
    return {row.partition: row.n for row in rows}


def _journey(row: Any, customer: str) -> Journey:
    """Made of the same texts and keys wherever they are equal: tens of thousands of customers are kept in memory."""
    journey = Journey(customer, row.journey_id)
    journey.revision = row.revision
    journey.open = journey.was_open = row.status == "open"
    journey.started_at, journey.ended_at, journey.covers_until = row.started_at, row.ended_at, row.covers_until
    journey.channels = {intern(channel): count for channel, count in row.channels.items()}
    journey.steps = steps.parse(row.steps, row.keys)
    first = len(journey.steps) * KEY_BYTES
    journey.omitted = [row.keys[i : i + KEY_BYTES] for i in range(first, len(row.keys), KEY_BYTES)]
    journey.keys = {*[step.key for step in journey.steps], *journey.omitted}
    journey.failures, journey.abandoned = row.failures, row.abandoned
    journey.begun_by_customer = row.begun_by_customer
    return journey


def _add_scores(customer: Customer, row: Any) -> None:
    if row.answered is not None:
        customer.answers = Answers(row.answered, int(row.weight), int(row.weighted), row.answered_at)
    if row.visits is not None:
        customer.visits = row.visits
        customer.first_active_at, customer.last_active_at = row.first_active_at, row.last_active_at
        customer.account_closed_at = row.account_closed_at
        customer.risk_as_of = row.risk_as_of
