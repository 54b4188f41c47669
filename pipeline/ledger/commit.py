"""One batch in one transaction: journeys, scores, what is to be published, what was rejected, and the position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.flow.advance import COUNTS
from pipeline.flow.values import Batch, ChurnRow, Headers, JourneyRow, Refused
from pipeline.ledger import steps
from pipeline.ledger.moments import sql_moment
from pipeline.ledger.positions import Claim, Fenced
from pipeline.ledger.stage import Stage

_POSITION = text(f"""
    UPDATE position SET next_offset = :next_offset, watermark = {sql_moment("nullif(CAST(:watermark AS bigint), 0)")},
        commits = commits + 1, processed = processed + :processed, duplicates = duplicates + :duplicates,
        quarantined = quarantined + :quarantined, forwarded = forwarded + :forwarded, updated_at = now()
    WHERE topic = :topic AND partition = :partition AND epoch = :epoch AND commits = :commits
""")


_JOURNEYS = Stage(
    table="journey",
    columns={
        "journey_id": "uuid", "customer": "text", "revision": "integer", "status": "text", "started_at": "bigint",
        "ended_at": "bigint", "covers_until": "bigint", "touchpoints": "integer", "channels": "jsonb",
        "outcome": "text", "failures": "integer", "abandoned": "integer", "begun_by_customer": "boolean",
        "steps": "jsonb", "steps_omitted": "integer", "merged_into": "uuid", "keys": "bytea",
    },
    key=("journey_id",),
    moments=("started_at", "ended_at", "covers_until"),
)  # fmt: skip
_SATISFACTION = Stage(
    table="satisfaction",
    columns={
        "customer": "text", "score": "float8", "low": "float8", "high": "float8", "answers": "float8",
        "answered": "integer", "as_of": "bigint", "weight": "numeric", "weighted": "numeric", "model": "text",
    },
    key=("customer",),
    moments=("as_of",),
)  # fmt: skip
_CHURN = Stage(
    table="churn_risk",
    columns={
        "customer": "text", "probability": "float8", "band": "text", "horizon_days": "integer", "as_of": "bigint",
        "visits": "integer", "first_active_at": "bigint", "last_active_at": "bigint", "account_closed_at": "bigint",
        "last_seen_at": "bigint", "reasons": "jsonb", "model": "text",
    },
    key=("customer",),
    moments=("as_of", "first_active_at", "last_active_at", "account_closed_at", "last_seen_at"),
)  # fmt: skip
_COUNTS = Stage(
    table="touchpoint_count",
    columns={"stage": "text", "channel": "text", "kind": "text", "catalogued": "boolean"}
    | dict.fromkeys(COUNTS, "bigint"),
    key=("partition", "stage", "channel", "kind"),
    added=COUNTS,
)
STAGES = (_JOURNEYS, _SATISFACTION, _CHURN, _COUNTS)

_QUARANTINE = text(f"""
    INSERT INTO quarantine (topic, partition, "offset", reason, detail, key, raw, headers, appended_at)
    SELECT :topic, :partition, new."offset", new.reason, new.detail, new.key, new.raw, CAST(new.headers AS jsonb),
           {sql_moment("new.appended_at")}
    FROM unnest(CAST(:offset AS bigint[]), CAST(:reason AS text[]), CAST(:detail AS text[]), CAST(:key AS bytea[]),
                CAST(:raw AS bytea[]), CAST(:headers AS text[]), CAST(:appended_at AS bigint[]))
         AS new ("offset", reason, detail, key, raw, headers, appended_at)
    ON CONFLICT DO NOTHING
""")

_OUTBOX = text("""
    INSERT INTO outbox (topic, partition, commit, journeys, satisfaction, churn_risk, quarantined, forwards)
    VALUES (:topic, :partition, :commit, CAST(CAST(:journeys AS text[]) AS uuid[]), :satisfaction, :churn_risk,
            CAST(:quarantined AS bigint[]), CAST(:forwards AS jsonb))
""")

_PUBLISHED = text("DELETE FROM outbox WHERE topic = :topic AND partition = :partition AND commit <= :commit")


async def commit(connection: AsyncConnection, claim: Claim, batch: Batch, published: int) -> Claim:
    """Write a batch in the transaction that `connection` is in; the claim for the next one.

    `published` is the number of the last commit whose records the broker has confirmed; its outbox rows go.
    Raises Fenced when the partition was taken, or a commit of this claim has come in between.
    """
    place = {"topic": claim.topic, "partition": claim.partition}
    moved = await connection.execute(
        _POSITION,
        {
            **place,
            "epoch": claim.epoch,
            "commits": claim.commits,
            "next_offset": batch.next_offset,
            "watermark": batch.watermark,
            "processed": batch.processed,
            "duplicates": batch.duplicates,
            "quarantined": len(batch.refused),
            "forwarded": len(batch.forwarded),
        },
    )
    if moved.rowcount != 1:
        raise Fenced(f"partition {claim.partition} was taken by another worker")
    number = claim.commits + 1
    await _JOURNEYS.put(connection, claim.partition, [_journey(row) for row in batch.journeys])
    await _SATISFACTION.put(connection, claim.partition, batch.satisfaction)
    await _CHURN.put(connection, claim.partition, [_churn(row) for row in batch.churn])
    counts = [(t.stage, t.channel, t.kind, t.catalogued, *sums) for t, sums in _distinct(batch).items()]
    await _COUNTS.put(connection, claim.partition, counts)
    if batch.refused:
        rows = zip(*[_quarantine(refused) for refused in batch.refused], strict=True)
        names = ("offset", "reason", "detail", "key", "raw", "headers", "appended_at")
        await connection.execute(_QUARANTINE, place | {n: list(c) for n, c in zip(names, rows, strict=True)})
    if batch.journeys or batch.satisfaction or batch.churn or batch.refused or batch.forwarded:
        await connection.execute(_OUTBOX, place | {"commit": number} | _outbox(batch))
    if published:
        await clear_outbox(connection, claim, published)
    return claim._replace(commits=number, next_offset=batch.next_offset, watermark=batch.watermark)


async def clear_outbox(connection: AsyncConnection, claim: Claim, published: int) -> None:
    """Drop the outbox rows of commits that the broker has confirmed, up to `published`."""
    place = {"topic": claim.topic, "partition": claim.partition}
    await connection.execute(_PUBLISHED, place | {"commit": published})


def _journey(row: JourneyRow) -> tuple[Any, ...]:
    return row._replace(channels=orjson.dumps(row.channels).decode(), steps=steps.dump(row.steps))  # type: ignore[arg-type]


def _churn(row: ChurnRow) -> tuple[Any, ...]:
    reasons = orjson.dumps([{"code": reason.code, "text": reason.text} for reason in row.reasons])
    return row._replace(reasons=reasons.decode())  # type: ignore[arg-type]


def _distinct(batch: Batch) -> dict[Any, Sequence[int]]:
    """The counts by what their table's key has: traits that differ otherwise are added up."""
    sums: dict[Any, Sequence[int]] = {}
    seen: dict[tuple[str, str, str], Any] = {}
    for traits, counts in batch.counts.items():
        first = seen.setdefault((traits.stage, traits.channel, traits.kind), traits)
        before = sums.get(first)
        sums[first] = counts if before is None else [a + b for a, b in zip(before, counts, strict=True)]
    return sums


def _quarantine(refused: Refused) -> tuple[Any, ...]:
    record, why = refused
    headers = orjson.dumps(_headers(record.headers)).decode()
    return record.offset, why.reason, why.detail, record.key, record.value, headers, record.timestamp


def _outbox(batch: Batch) -> dict[str, Any]:
    return {
        "journeys": [row.journey_id for row in batch.journeys],
        "satisfaction": [row.customer for row in batch.satisfaction],
        "churn_risk": [row.customer for row in batch.churn],
        "quarantined": [refused.record.offset for refused in batch.refused],
        "forwards": orjson.dumps(
            [{"key": f.key.hex(), "value": f.value.hex(), "headers": _headers(f.headers)} for f in batch.forwarded]
        ).decode(),
    }


def _headers(headers: Headers) -> list[list[str]]:
    """Headers for JSON, which holds neither bytes nor, in Postgres, NUL characters."""
    return [[name.replace("\0", "\ufffd"), (value or b"").hex()] for name, value in headers]
