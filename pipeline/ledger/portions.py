"""Where the portions of restatements end."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.flow.identity_rows import RestatementRow
from pipeline.flow.portions import LastJourney, portion_end
from pipeline.ledger.customers import IS_THERE
from pipeline.ledger.moments import sql_moment, sql_ms

_ENDS = text(f"""
    SELECT wanted.name, {sql_ms("journey.started_at")} AS started_at, {sql_ms("journey.ended_at")} AS ended_at,
           journey.steps_omitted, {sql_ms("aside.at")} AS aside_at
    FROM json_to_recordset(CAST(:rows AS json)) AS wanted (name text, since bigint, until bigint)
    LEFT JOIN LATERAL (
        SELECT started_at, ended_at, steps_omitted
        FROM (
            SELECT started_at, ended_at, steps_omitted, sum(touchpoints) OVER (ORDER BY started_at) AS total
            FROM (
                SELECT started_at, ended_at, touchpoints, steps_omitted FROM journey
                WHERE customer = wanted.name AND {IS_THERE}
                  AND ended_at >= {sql_moment("wanted.since")} AND started_at <= {sql_moment("wanted.until")}
                  AND started_at >= coalesce(
                    (SELECT max(before.started_at) FROM journey AS before
                     WHERE before.customer = wanted.name AND {IS_THERE}
                       AND before.started_at < {sql_moment("wanted.since")}),
                    '-infinity')
                ORDER BY started_at
                LIMIT :touchpoints
            ) AS earliest
        ) AS counted
        WHERE total >= :touchpoints
        ORDER BY started_at
        LIMIT 1
    ) AS journey ON true
    LEFT JOIN LATERAL (
        SELECT at FROM identity_touchpoint
        WHERE key = wanted.name AND at >= {sql_moment("wanted.since")} AND at <= {sql_moment("wanted.until")}
        ORDER BY at
        OFFSET CAST(:touchpoints AS bigint) - 1
        LIMIT 1
    ) AS aside ON true
""")


async def portion_ends(connection: AsyncConnection, rows: Sequence[RestatementRow], touchpoints: int) -> dict[str, int]:
    """Return until when each restatement goes if it ends with so many touchpoints, or with their journey."""
    until = {row.key: row.until for row in rows}
    wanted = [{"name": row.key, "since": row.since, "until": row.until} for row in rows]
    found = await connection.execute(_ENDS, {"rows": orjson.dumps(wanted).decode(), "touchpoints": touchpoints})
    return {
        name: portion_end(
            until[name],
            LastJourney(started_at, ended_at, omitted) if started_at is not None else None,
            aside_at,
        )
        for name, started_at, ended_at, omitted, aside_at in found
    }
