"""The risk sweep: customers whose silence has moved them into another band of churn risk, without an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.ledger.moments import sql_moment
from pipeline.ledger.reload import load_row, select_list
from pipeline.ledger.session import Session
from pipeline.scores.churn.model import ChurnModel
from pipeline.scores.churn.row import TABLE, ChurnRow
from pipeline.scores.churn.score import CHURN_RISK

# Customers whose risk was published as of a later moment than this one are left alone.
_BAND_HAS_CHANGED = f"""
    FROM churn_risk
    JOIN model AS m ON m.name = 'churn' AND m.version = :version
    WHERE partition = ANY(:partitions) AND as_of < {sql_moment("CAST(:now AS bigint)")}
      AND band <> churn_band(
          churn_probability(
              visits, first_active_at, last_active_at, account_closed_at, {sql_moment("CAST(:now AS bigint)")},
              m.parameters,
              beyond_shift(first_active_at, last_active_at, last_seen_at, evidence, activities, activity_weight,
                           payments, paid, {sql_moment("CAST(:now AS bigint)")}, m.parameters)
          ),
          m.parameters)
"""
_CANDIDATES = text(f"SELECT customer {_BAND_HAS_CHANGED} LIMIT :limit")
_CHANGES = text(f"""
    SELECT partition, {select_list(TABLE)}
    FROM (SELECT churn_risk.* {_BAND_HAS_CHANGED} AND customer = ANY(:customers)) AS changed
""")
_BANDS = text("SELECT band, count(*) AS n FROM churn_risk WHERE partition = ANY(:partitions) GROUP BY band")
_MEANS = text("""
    SELECT channel, sum(score_sum) / sum(answers) / 1000.0 AS mean FROM touchpoint_count
    GROUP BY channel HAVING sum(answers) > 0
""")


class RiskReading(NamedTuple):
    """What a sweep reads: customers whose band has changed, the number of customers in each band, and each channel's
    mean answer (0 to 100, over all partitions).
    """

    changed: Sequence[str]
    bands: Mapping[str, int]
    satisfaction_means: Mapping[str, float]


class RiskReader(Protocol):
    """Reads for the sweep, beside the work on records."""

    async def read_risks(self, partitions: Sequence[int], now_ms: int, version: str, limit: int) -> RiskReading:
        """Read all of the partitions as of `now_ms` (epoch ms), with up to `limit` customers whose band has changed.

        Bands are those of a version of the churn model.
        """

    async def close(self) -> None:
        """Let go of the connection."""


class PostgresRiskReader:
    """Implements `RiskReader` on a connection of its own, without a time-out: nothing waits for it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def read_risks(self, partitions: Sequence[int], now_ms: int, version: str, limit: int) -> RiskReading:
        """Read the partitions; errors of the database go through as they are."""
        return await self._session.run(lambda connection: _read(connection, list(partitions), now_ms, version, limit))

    async def close(self) -> None:
        """Let go of the connection."""
        await self._session.close()


async def _read(
    connection: AsyncConnection, partitions: list[int], now_ms: int, version: str, limit: int
) -> RiskReading:
    await connection.execute(text("SET statement_timeout = 0"))
    wanted = {"partitions": partitions, "now": now_ms, "version": version, "limit": limit}
    changed = await connection.execute(_CANDIDATES, wanted)
    names = [row.customer for row in changed]
    bands = {row.band: row.n for row in await connection.execute(_BANDS, {"partitions": partitions})}
    means = {row.channel: float(row.mean) for row in await connection.execute(_MEANS)}
    return RiskReading(names, bands, means)


async def band_changes(
    connection: AsyncConnection, partitions: Sequence[int], now_ms: int, model: ChurnModel, customers: Sequence[str]
) -> dict[int, list[ChurnRow]]:
    """Return, by partition, the new risk of those customers whose band at `now_ms` (epoch ms) is not the stored one.

    Bands are those of the model.
    """
    changes: dict[int, list[ChurnRow]] = {}
    parameters = {
        "partitions": list(partitions),
        "now": now_ms,
        "version": model.version,
        "customers": list(customers),
    }
    for selected in await connection.execute(_CHANGES, parameters):
        state = CHURN_RISK.restore(load_row(TABLE, selected))._replace(as_of=now_ms)
        changes.setdefault(selected.partition, []).append(CHURN_RISK.row(selected.customer, state, model))
    return changes
