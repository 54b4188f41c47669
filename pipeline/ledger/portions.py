"""Where the portions of restatements end."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.flow.identity_rows import OMITTED, RestatementRow
from pipeline.flow.portions import portion_end
from pipeline.ledger.customers import IS_THERE
from pipeline.ledger.moments import sql_moment, sql_ms

_PORTIONS = text(f"""
    SELECT wanted.name, {sql_ms("of_journeys.until")} AS journey_until, {sql_ms("of_rows.until")} AS aside_until
    FROM json_to_recordset(CAST(:rows AS json)) AS wanted (name text, since bigint, until bigint)
    CROSS JOIN LATERAL (
        SELECT min(ended_at) FILTER (WHERE total >= CAST(:touchpoints AS bigint)) AS until
        FROM (
            SELECT ended_at, sum(touchpoints) OVER (ORDER BY started_at) AS total
            FROM (
                SELECT started_at, ended_at, touchpoints FROM journey
                WHERE customer = wanted.name AND {IS_THERE}
                  AND ended_at >= {sql_moment("wanted.since")} AND started_at <= {sql_moment("wanted.until")}
                  AND started_at >= coalesce(
                    (SELECT max(before.started_at) FROM journey AS before
                     WHERE before.customer = wanted.name AND {IS_THERE}
                       AND before.started_at < {sql_moment("wanted.since")}),
                    '-infinity')
                ORDER BY started_at
                LIMIT CAST(:touchpoints AS bigint)
            ) AS earliest
        ) AS counted
    ) AS of_journeys
    CROSS JOIN LATERAL (
        SELECT max(at) FILTER (WHERE place = CAST(:touchpoints AS bigint)) AS until
        FROM (
            SELECT at, row_number() OVER (ORDER BY at) AS place
            FROM (
                SELECT at FROM identity_touchpoint
                WHERE key = wanted.name AND place <> '{OMITTED}'
                  AND at >= {sql_moment("wanted.since")} AND at <= {sql_moment("wanted.until")}
                ORDER BY at
                LIMIT CAST(:touchpoints AS bigint)
            ) AS earliest
        ) AS counted
    ) AS of_rows
""")


async def portion_ends(connection: AsyncConnection, rows: Sequence[RestatementRow], touchpoints: int) -> dict[str, int]:
    """Return until when each restatement goes if it ends with so many touchpoints, or with their journey."""
    wanted = [{"name": row.key, "since": row.since, "until": row.until} for row in rows]
    found = await connection.execute(_PORTIONS, {"rows": orjson.dumps(wanted).decode(), "touchpoints": touchpoints})
    ends = {each.name: (each.journey_until, each.aside_until) for each in found}
    return {row.key: portion_end(row.until, ends[row.key]) for row in rows}
