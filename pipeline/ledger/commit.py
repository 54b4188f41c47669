"""One batch in one transaction: journeys, scores, what is to be published, what was rejected, and the position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import psycopg
from psycopg.types.json import Json
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.flow.advance import COUNTS
from pipeline.flow.values import Batch, ChurnRow, Headers, JourneyRow, Refused, SatisfactionRow
from pipeline.ledger.moments import sql_moment
from pipeline.ledger.positions import Claim, Fenced
from pipeline.ledger.steps import StepsText
from pipeline.ledger.upsert import upsert

_STEPS = StepsText()

_POSITION = f"""
    UPDATE position SET next_offset = %(next_offset)s, watermark = {sql_moment("nullif(%(watermark)s::bigint, 0)")},
        commits = commits + 1, processed = processed + %(processed)s, duplicates = duplicates + %(duplicates)s,
        quarantined = quarantined + %(quarantined)s, forwarded = forwarded + %(forwarded)s, updated_at = now()
    WHERE topic = %(topic)s AND partition = %(partition)s AND epoch = %(epoch)s AND commits = %(commits)s
"""
_JOURNEYS = upsert(
    "journey",
    {
        "journey_id": "uuid", "customer": "text", "revision": "integer", "status": "text", "started_at": "bigint",
        "ended_at": "bigint", "covers_until": "bigint", "touchpoints": "integer", "channels": "jsonb",
        "outcome": "text", "failures": "integer", "abandoned": "integer", "begun_by_customer": "boolean",
        "steps": "jsonb", "steps_omitted": "integer", "merged_into": "uuid", "keys": "bytea",
    },
    ("journey_id",),
    moments=("started_at", "ended_at", "covers_until"),
)  # fmt: skip
_CLOSED = """
    UPDATE journey SET revision = revision + 1, status = 'closed'
    WHERE journey_id = ANY(ARRAY(SELECT CAST(json_array_elements_text(%(closed)s) AS uuid)))
      AND EXISTS (SELECT FROM moved)
"""
_SATISFACTION = upsert(
    "satisfaction",
    {
        "customer": "text", "score": "float8", "low": "float8", "high": "float8", "answers": "float8",
        "answered": "integer", "as_of": "bigint", "weight": "numeric", "weighted": "numeric", "model": "text",
    },
    ("customer",),
    moments=("as_of",),
)  # fmt: skip
_CHURN = upsert(
    "churn_risk",
    {
        "customer": "text", "probability": "float8", "band": "text", "horizon_days": "integer", "as_of": "bigint",
        "visits": "integer", "first_active_at": "bigint", "last_active_at": "bigint", "account_closed_at": "bigint",
        "last_seen_at": "bigint", "reasons": "jsonb", "model": "text",
    },
    ("customer",),
    moments=("as_of", "first_active_at", "last_active_at", "account_closed_at", "last_seen_at"),
)  # fmt: skip
_COUNTS = upsert(
    "touchpoint_count",
    {"stage": "text", "channel": "text", "kind": "text", "catalogued": "boolean"} | dict.fromkeys(COUNTS, "bigint"),
    ("partition", "stage", "channel", "kind"),
    added=COUNTS,
)
_QUARANTINE = f"""
    INSERT INTO quarantine (topic, partition, "offset", reason, detail, key, raw, headers, appended_at)
    SELECT %(topic)s, %(partition)s, "offset", reason, detail, decode(key, 'hex'), decode(raw, 'hex'), headers,
           {sql_moment("appended_at")}
    FROM moved, json_to_recordset(%(quarantine)s) AS new ("offset" bigint, reason text, detail text, key text,
                                                          raw text, headers jsonb, appended_at bigint)
    ON CONFLICT DO NOTHING
"""
_OUTBOX = """
    INSERT INTO outbox (topic, partition, commit, journeys, satisfaction, churn_risk, quarantined, forwards)
    SELECT %(topic)s, %(partition)s, %(commits)s + 1, %(told_journeys)s::text[]::uuid[], %(told_satisfaction)s::text[],
           %(told_churn_risk)s::text[], %(told_quarantined)s::bigint[], %(forwards)s
    FROM moved WHERE %(tells)s
"""
_PUBLISHED = "DELETE FROM outbox WHERE topic = %(topic)s AND partition = %(partition)s AND commit <= %(published)s"

#: All of a batch in one statement, and so in one transaction and one round trip. What stands in `moved` is the fence:
#: without a row there, nothing else is written.
_COMMIT = f"""
    WITH moved AS ({_POSITION} RETURNING partition),
         journeys AS ({_JOURNEYS}),
         closed AS ({_CLOSED}),
         satisfactions AS ({_SATISFACTION}),
         risks AS ({_CHURN}),
         counts AS ({_COUNTS}),
         refused AS ({_QUARANTINE}),
         told AS ({_OUTBOX}),
         confirmed AS ({_PUBLISHED} AND EXISTS (SELECT FROM moved))
    SELECT count(*) FROM moved
"""


async def commit(connection: AsyncConnection, claim: Claim, batch: Batch, published: int) -> Claim:
    """Write a batch in one transaction; the claim for the next one.

    `published` is the number of the last commit whose records the broker has confirmed; its outbox rows go.
    `connection` is in autocommit. Raises Fenced when the partition was taken, or another commit has come in between;
    nothing is written then.
    """
    raw = await _raw(connection)
    written = await raw.execute(_COMMIT, parameters(claim, batch, published))
    if await written.fetchone() != (1,):
        raise Fenced(f"partition {claim.partition} was taken by another worker")
    return claim._replace(commits=claim.commits + 1, next_offset=batch.next_offset, watermark=batch.watermark)


def parameters(claim: Claim, batch: Batch, published: int) -> dict[str, Any]:
    """What the statement of `commit` is run with."""
    return {
        "topic": claim.topic,
        "partition": claim.partition,
        "epoch": claim.epoch,
        "commits": claim.commits,
        "published": published,
        "next_offset": batch.next_offset,
        "watermark": batch.watermark,
        "processed": batch.processed,
        "duplicates": batch.duplicates,
        "quarantined": len(batch.refused),
        "forwarded": len(batch.forwarded),
        "journey": _json([_journey(row) for row in batch.journeys if row.journey_id not in batch.only_closed]),
        "closed": _json(list(batch.only_closed)),
        "satisfaction": _json([_satisfaction(row) for row in batch.satisfaction]),
        "churn_risk": _json([_churn(row) for row in batch.churn]),
        "touchpoint_count": _json(_counts(batch)),
        "quarantine": _json([_quarantine(refused) for refused in batch.refused]),
        "tells": bool(batch.journeys or batch.satisfaction or batch.churn or batch.refused or batch.forwarded),
        **_outbox(batch),
    }


async def clear_outbox(connection: AsyncConnection, claim: Claim, published: int) -> None:
    """Drop the outbox rows of commits that the broker has confirmed, up to `published`."""
    raw = await _raw(connection)
    await raw.execute(_PUBLISHED, {"topic": claim.topic, "partition": claim.partition, "published": published})


async def _raw(connection: AsyncConnection) -> psycopg.AsyncConnection[Any]:
    """The driver's own connection, which prepares a statement that is run again and again."""
    raw = (await connection.get_raw_connection()).driver_connection
    assert isinstance(raw, psycopg.AsyncConnection)
    return raw


def _json(rows: Sequence[Any]) -> Json:
    return Json(rows, dumps=_dump)


def _dump(rows: Any) -> bytes:
    return orjson.dumps(rows, option=orjson.OPT_UTC_Z)


def _journey(row: JourneyRow) -> dict[str, Any]:
    return row._asdict() | {"steps": _STEPS.write(row.steps), "keys": row.keys.hex()}


def _satisfaction(row: SatisfactionRow) -> dict[str, Any]:
    return {**row._asdict(), "weight": str(row.weight), "weighted": str(row.weighted)}


def _churn(row: ChurnRow) -> dict[str, Any]:
    return {**row._asdict(), "reasons": [reason._asdict() for reason in row.reasons]}


def _counts(batch: Batch) -> list[dict[str, Any]]:
    return [
        {"stage": t.stage, "channel": t.channel, "kind": t.kind, "catalogued": t.catalogued}
        | dict(zip(COUNTS, sums, strict=True))
        for t, sums in _distinct(batch).items()
    ]


def _distinct(batch: Batch) -> dict[Any, Sequence[int]]:
    """The counts by what their table's key has: traits that differ otherwise are added up."""
    sums: dict[Any, Sequence[int]] = {}
    seen: dict[tuple[str, str, str], Any] = {}
    for traits, counts in batch.counts.items():
        first = seen.setdefault((traits.stage, traits.channel, traits.kind), traits)
        before = sums.get(first)
        sums[first] = counts if before is None else [a + b for a, b in zip(before, counts, strict=True)]
    return sums


def _quarantine(refused: Refused) -> dict[str, Any]:
    record, why = refused
    return {
        "offset": record.offset,
        "reason": why.reason,
        "detail": why.detail,
        "key": None if record.key is None else record.key.hex(),
        "raw": None if record.value is None else record.value.hex(),
        "headers": _headers(record.headers),
        "appended_at": record.timestamp,
    }


def _outbox(batch: Batch) -> dict[str, Any]:
    return {
        "told_journeys": [row.journey_id for row in batch.journeys],
        "told_satisfaction": [row.customer for row in batch.satisfaction],
        "told_churn_risk": [row.customer for row in batch.churn],
        "told_quarantined": [refused.record.offset for refused in batch.refused],
        "forwards": _json(
            [{"key": f.key.hex(), "value": f.value.hex(), "headers": _headers(f.headers)} for f in batch.forwarded]
        ),
    }


def _headers(headers: Headers) -> list[list[str]]:
    """Headers for JSON, which holds neither bytes nor, in Postgres, NUL characters."""
    return [[name.replace("\0", "\ufffd"), (value or b"").hex()] for name, value in headers]
