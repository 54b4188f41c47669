"""Loading what the ledger holds about customers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from sys import intern
from typing import Any

import orjson
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.flow.identity_needs import Span
from pipeline.flow.state import LATEST, Customer
from pipeline.identity.segments import END
from pipeline.journey.admitted import ACTIVITY, BEGUN_BY_CUSTOMER
from pipeline.journey.journey import Journey
from pipeline.journey.row import JOURNEY, JourneyRow
from pipeline.journey.step import KEY_BYTES
from pipeline.ledger.identity import restore_identity
from pipeline.ledger.moments import sql_moment, sql_ms
from pipeline.ledger.reload import load_row, select_list
from pipeline.rows import Table
from pipeline.scores.protocol import Score

# Statements are planned once, perhaps while the tables are empty. OFFSET 0 makes Postgres run a subquery for each row
# before it, through its index, however little there was to read when the plan was made.

#: Of the journeys that have touchpoints; the index on customers has no others.
IS_THERE = "merged_into IS NULL AND moved_to IS NULL"
# A customer's journeys are disjoint, so of those that begin before `since` only the last can reach it.
_JOURNEYS = text(f"""
    SELECT {select_list(JOURNEY)}
    FROM json_to_recordset(CAST(:wanted AS json)) AS wanted (name text, since bigint, latest boolean)
    CROSS JOIN LATERAL (
        SELECT * FROM journey
        WHERE customer = wanted.name AND {IS_THERE} AND started_at >= coalesce(
            CASE WHEN wanted.latest THEN
                (SELECT before.started_at FROM journey AS before
                 WHERE before.customer = wanted.name AND {IS_THERE}
                 ORDER BY before.started_at DESC OFFSET {LATEST - 1} LIMIT 1)
            ELSE
                (SELECT max(before.started_at) FROM journey AS before
                 WHERE before.customer = wanted.name AND {IS_THERE}
                   AND before.started_at < {sql_moment("wanted.since")})
            END,
            '-infinity')
        OFFSET 0
    ) AS reached
    ORDER BY customer, reached.started_at
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
        ) AS passed
        LIMIT :limit
    ) AS due
    GROUP BY number, customer
""")
_WINDOWS = text(f"""
    SELECT {select_list(JOURNEY)}
    FROM json_to_recordset(CAST(:windows AS json)) AS wanted (name text, since bigint, until bigint)
    CROSS JOIN LATERAL (
        SELECT * FROM journey
        WHERE customer = wanted.name AND {IS_THERE} AND started_at <= {sql_moment("wanted.until")}
          AND covers_until >= {sql_moment("wanted.since")} AND started_at >= coalesce(
            (SELECT max(before.started_at) FROM journey AS before
             WHERE before.customer = wanted.name AND {IS_THERE} AND before.started_at < {sql_moment("wanted.since")}),
            '-infinity')
        OFFSET 0
    ) AS met
""")
_PAGE = text(f"""
    SELECT {select_list(JOURNEY)} FROM journey
    WHERE customer = :name AND {IS_THERE} AND started_at > {sql_moment("CAST(:after AS bigint)")}
    ORDER BY started_at
    LIMIT :limit
""")
_OPEN = text("SELECT count(*) AS n FROM journey WHERE status = 'open' AND partition = ANY(:partitions)")


@cache
def _score_rows(table: Table[Any]) -> TextClause:
    return text(f"""
        SELECT {select_list(table)}
        FROM json_array_elements_text(CAST(:names AS json)) AS wanted (name)
        CROSS JOIN LATERAL (SELECT * FROM {table.name} WHERE customer = wanted.name OFFSET 0) AS known
    """)


async def load_customers(
    connection: AsyncConnection, wanted: Mapping[str, int], scores: Sequence[Score[Any, Any]], with_identity: bool
) -> dict[str, Customer]:
    """Return customers with their scores, and with their journeys from the given times (epoch milliseconds) on.

    `END` stands for the latest few journeys. `with_identity` says whether what is known of whose their keys are is
    needed, too.
    """
    if not wanted:
        return {}
    customers = {key: Customer(key, since) for key, since in wanted.items()}
    # psycopg writes an array of texts many times more slowly than orjson
    wanted_json = orjson.dumps(
        [{"name": name, "since": since, "latest": since == END} for name, since in wanted.items()]
    ).decode()
    for selected in await connection.execute(_JOURNEYS, {"wanted": wanted_json}):
        customer = customers[selected.customer]
        customer.journeys.append(restore_journey(load_row(JOURNEY, selected), customer.key))
    for customer in customers.values():
        customer.note_loaded()
    names_json = orjson.dumps(list(wanted)).decode()
    for score in scores:
        for selected in await connection.execute(_score_rows(score.table), {"names": names_json}):
            customers[selected.customer].scores[score.table.name] = score.restore(load_row(score.table, selected))
    if with_identity:
        await restore_identity(connection, customers)
    return customers


async def load_windows(connection: AsyncConnection, windows: Sequence[Span]) -> dict[str, list[Journey]]:
    """Return the journeys of customers that meet spans of time; one that meets several comes several times."""
    wanted = [{"name": name, "since": since, "until": until} for name, since, until in windows]
    found: dict[str, list[Journey]] = {}
    for selected in await connection.execute(_WINDOWS, {"windows": orjson.dumps(wanted).decode()}):
        row = load_row(JOURNEY, selected)
        found.setdefault(row.customer, []).append(restore_journey(row, row.customer))
    return found


async def load_page(connection: AsyncConnection, customer: str, after: int, limit: int) -> list[Journey]:
    """Return a customer's journeys that start after a moment (epoch milliseconds), in order of time, up to `limit`."""
    selected = await connection.execute(_PAGE, {"name": customer, "after": after, "limit": limit})
    return [restore_journey(load_row(JOURNEY, each), customer) for each in selected]


async def due_customers(
    connection: AsyncConnection, watermarks: Mapping[int, int], grace_ms: int, limit: int
) -> dict[int, dict[str, int]]:
    """Return customers with open journeys that event time has passed: partition → customer → start of the earliest one.

    `watermarks` are the partitions' event times; times are epoch milliseconds. At most `limit` journeys are read.
    """
    due: dict[int, dict[str, int]] = {}
    until = [watermark - grace_ms for watermark in watermarks.values()]
    for row in await connection.execute(_DUE, {"partitions": list(watermarks), "until": until, "limit": limit}):
        due.setdefault(row.partition, {})[row.customer] = row.started_at
    return due


async def count_open_journeys(connection: AsyncConnection, partitions: Iterable[int]) -> int:
    """Return the number of open journeys in partitions."""
    return int((await connection.execute(_OPEN, {"partitions": list(partitions)})).scalar_one())


def restore_journey(row: JourneyRow, customer: str) -> Journey:
    """Return the journey of a row, made of the texts and keys that are in memory already.

    `customer` is the row's, as it is kept; tens of thousands of customers are kept in memory.
    """
    journey = Journey(customer, row.journey_id)
    journey.revision = row.revision
    journey.is_open = journey.was_open = row.status == "open"
    journey.started_at, journey.ended_at, journey.covers_until = row.started_at, row.ended_at, row.covers_until
    journey.channels = {intern(channel): count for channel, count in row.channels.items()}
    journey.steps = list(row.steps)
    first = len(journey.steps) * KEY_BYTES
    journey.omitted = [row.keys[i : i + KEY_BYTES] for i in range(first, len(row.keys), KEY_BYTES)]
    journey.keys = {*[step.key for step in journey.steps], *journey.omitted}
    journey.failures, journey.abandoned = row.failures, row.abandoned
    journey.signs = BEGUN_BY_CUSTOMER * row.begun_by_customer | ACTIVITY * row.is_visit
    return journey
