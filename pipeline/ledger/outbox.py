"""What was committed and is not known to be published: read when publishing begins anew."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.churn.reasons import Reason
from pipeline.flow.values import ChurnRow, Forwarded, JourneyRow, SatisfactionRow
from pipeline.ledger import steps
from pipeline.ledger.customers import JOURNEY_COLUMNS
from pipeline.ledger.moments import sql_ms
from pipeline.ledger.positions import Claim

_UNSENT = text("""
    SELECT commit, journeys::text[] AS journeys, satisfaction, churn_risk, quarantined, forwards
    FROM outbox WHERE topic = :topic AND partition = :partition AND commit > :published ORDER BY commit
""")
_JOURNEYS = text(f"SELECT {JOURNEY_COLUMNS} FROM journey WHERE journey_id = ANY(CAST(CAST(:ids AS text[]) AS uuid[]))")
_SATISFACTION = text(f"""
    SELECT customer, score, low, high, answers, answered, {sql_ms("as_of")} AS as_of, weight, weighted, model
    FROM satisfaction WHERE customer = ANY(:customers)
""")
_CHURN = text(f"""
    SELECT customer, probability, band, horizon_days, {sql_ms("as_of")} AS as_of, visits,
           {sql_ms("first_active_at")} AS first_active_at, {sql_ms("last_active_at")} AS last_active_at,
           {sql_ms("account_closed_at")} AS account_closed_at, {sql_ms("last_seen_at")} AS last_seen_at, reasons, model
    FROM churn_risk WHERE customer = ANY(:customers)
""")
_REFUSED = text("""
    SELECT "offset", key, raw, headers, reason, detail FROM quarantine
    WHERE topic = :topic AND partition = :partition AND "offset" = ANY(:offsets) ORDER BY "offset"
""")


class RefusedRow(NamedTuple):
    """A record in quarantine, as it is to be sent to the dead-letter topic."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    reason: str
    detail: str


class Unpublished(NamedTuple):
    """What is to be published of a partition's commits, up to `commit`: of each row what it says now."""

    commit: int
    journeys: list[JourneyRow]
    satisfaction: list[SatisfactionRow]
    churn: list[ChurnRow]
    refused: list[RefusedRow]
    forwarded: list[Forwarded]


async def unpublished(connection: AsyncConnection, claim: Claim, published: int) -> Unpublished | None:
    """What was committed of a partition after commit number `published`; None if there is nothing to publish."""
    place = {"topic": claim.topic, "partition": claim.partition}
    rows = (await connection.execute(_UNSENT, {**place, "published": published})).all()
    if not rows:
        return None
    journeys = await connection.execute(_JOURNEYS, {"ids": _union(rows, "journeys")})
    satisfaction = await connection.execute(_SATISFACTION, {"customers": _union(rows, "satisfaction")})
    churn = await connection.execute(_CHURN, {"customers": _union(rows, "churn_risk")})
    refused = await connection.execute(_REFUSED, {**place, "offsets": _union(rows, "quarantined")})
    return Unpublished(
        commit=rows[-1].commit,
        journeys=[JourneyRow(**{**row._mapping, "steps": steps.parse(row.steps, row.keys)}) for row in journeys],
        satisfaction=[SatisfactionRow(**row._mapping) for row in satisfaction],
        churn=[ChurnRow(**{**row._mapping, "reasons": tuple(Reason(**r) for r in row.reasons)}) for row in churn],
        refused=[
            RefusedRow(row.offset, row.key, row.raw, _headers(row.headers), row.reason, row.detail) for row in refused
        ],
        forwarded=[
            Forwarded(bytes.fromhex(f["key"]), bytes.fromhex(f["value"]), _headers(f["headers"]))
            for row in rows
            for f in row.forwards
        ],
    )


def _union(rows: Any, column: str) -> list[Any]:
    return list(dict.fromkeys(item for row in rows for item in getattr(row, column)))


def _headers(stored: list[list[str]]) -> list[tuple[str, bytes]]:
    return [(name, bytes.fromhex(value)) for name, value in stored]
