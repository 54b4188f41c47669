"""Whom silence has moved into another band of churn risk: noticed without an event."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.churn.model import Activity, ChurnModel
from pipeline.flow.scores import risk_row
from pipeline.flow.values import ChurnRow
from pipeline.ledger.moments import sql_moment, sql_ms

# Bands only rise with silence; someone whose risk was told for a later moment than this one is left alone.
_WHOSE_BAND_IS_ANOTHER = f"""
    FROM churn_risk AS r
    JOIN model AS m ON m.name || ' ' || m.version = r.model
    WHERE r.partition = ANY(:partitions) AND r.as_of < {sql_moment("CAST(:now AS bigint)")}
      AND r.band <> churn_band(churn_probability(r.visits, r.first_active_at, r.last_active_at, r.account_closed_at,
                                                 {sql_moment("CAST(:now AS bigint)")}, m.parameters), m.parameters)
"""
_CANDIDATES = text(f"SELECT r.customer {_WHOSE_BAND_IS_ANOTHER} LIMIT :most")
_SLIPPED = text(f"""
    SELECT r.partition, r.customer, r.visits, {sql_ms("r.first_active_at")} AS first_active_at,
           {sql_ms("r.last_active_at")} AS last_active_at, {sql_ms("r.account_closed_at")} AS account_closed_at,
           {sql_ms("r.last_seen_at")} AS last_seen_at
    {_WHOSE_BAND_IS_ANOTHER} AND r.customer = ANY(:names)
""")
_BANDS = text("SELECT band, count(*) AS n FROM churn_risk WHERE partition = ANY(:partitions) GROUP BY band")
_MEANS = text("""
    SELECT channel, sum(score_sum) / sum(answers) / 1000.0 AS mean FROM touchpoint_count
    GROUP BY channel HAVING sum(answers) > 0
""")


async def candidates(connection: AsyncConnection, partitions: Sequence[int], now_ms: int, most: int) -> list[str]:
    """Up to `most` customers whose band at `now_ms` (epoch ms) is not the stored one; reads all of the partitions."""
    rows = await connection.execute(_CANDIDATES, {"partitions": list(partitions), "now": now_ms, "most": most})
    return [row.customer for row in rows]


async def slipped(
    connection: AsyncConnection, partitions: Sequence[int], now_ms: int, model: ChurnModel, names: Sequence[str]
) -> dict[int, list[ChurnRow]]:
    """By partition, the new risk of those of the customers whose band at `now_ms` (epoch ms) is not the stored one."""
    found: dict[int, list[ChurnRow]] = {}
    asked = {"partitions": list(partitions), "now": now_ms, "names": list(names)}
    for row in await connection.execute(_SLIPPED, asked):
        activity = Activity(row.visits, row.first_active_at, row.last_active_at, row.account_closed_at)
        found.setdefault(row.partition, []).append(risk_row(row.customer, activity, row.last_seen_at, now_ms, model))
    return found


async def bands(connection: AsyncConnection, partitions: Sequence[int]) -> dict[str, int]:
    """How many customers of the partitions are in each band."""
    return {row.band: row.n for row in await connection.execute(_BANDS, {"partitions": list(partitions)})}


async def satisfaction_means(connection: AsyncConnection) -> dict[str, float]:
    """Each channel's mean answer, 0 to 100, over all partitions."""
    return {row.channel: float(row.mean) for row in await connection.execute(_MEANS)}
