"""Batches in one transaction: journeys, scores, what is to be published, what was rejected, and the positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
import psycopg
from psycopg.types.json import Json
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.churn.reasons import Reason
from pipeline.flow.advance import COUNTS
from pipeline.flow.values import Batch, Headers, Refused
from pipeline.ledger.arrays import (
    BIGINT,
    BOOLEAN,
    BYTEA,
    FLOAT8,
    INTEGER,
    MOMENT,
    MOMENT_OR_NULL,
    NUMERIC,
    TEXT,
    UUID,
    UUID_OR_NULL,
    written,
)
from pipeline.ledger.moments import sql_moment
from pipeline.ledger.positions import Claim, Fenced
from pipeline.ledger.steps import StepsText
from pipeline.ledger.upsert import Upsert

#: Texts that were put together, at the most; more are forgotten and put together anew.
_MEMO = 20_000


@lru_cache(_MEMO)
def _reasons(reasons: tuple[Reason, ...]) -> str:
    """As JSON; many customers have the same."""
    return orjson.dumps([reason._asdict() for reason in reasons]).decode()


def _channels(channels: Mapping[str, int]) -> str:
    return orjson.dumps(channels).decode()


#: The fence: the partitions that are still as the worker left them, locked in their order.
_HELD = """
    SELECT p.partition
    FROM json_to_recordset(%(position)s) AS mine (partition integer, epoch bigint, commits bigint)
    JOIN position AS p ON p.topic = %(topic)s AND p.partition = mine.partition
    WHERE p.epoch = mine.epoch AND p.commits = mine.commits
    ORDER BY p.partition FOR UPDATE OF p
"""
_POSITIONS = f"""
    UPDATE position AS p SET next_offset = new.next_offset,
        watermark = {sql_moment("nullif(new.watermark, 0)")}, commits = p.commits + 1,
        processed = p.processed + new.processed, duplicates = p.duplicates + new.duplicates,
        quarantined = p.quarantined + new.quarantined, forwarded = p.forwarded + new.forwarded, updated_at = now()
    FROM going, json_to_recordset(%(position)s) AS new (
        partition integer, next_offset bigint, watermark bigint, processed bigint, duplicates bigint,
        quarantined bigint, forwarded bigint)
    WHERE p.topic = %(topic)s AND p.partition = new.partition
    RETURNING p.partition
"""
_JOURNEYS = Upsert(
    "journey",
    {
        "partition": INTEGER, "journey_id": UUID, "customer": TEXT, "revision": INTEGER, "status": TEXT,
        "started_at": MOMENT, "ended_at": MOMENT, "covers_until": MOMENT, "touchpoints": INTEGER,
        "channels": written("jsonb", _channels), "outcome": TEXT, "failures": INTEGER, "abandoned": INTEGER,
        "begun_by_customer": BOOLEAN, "steps": written("jsonb", StepsText().write), "steps_omitted": INTEGER,
        "merged_into": UUID_OR_NULL, "keys": BYTEA,
    },
    ("journey_id",),
)  # fmt: skip
_CLOSED = """
    UPDATE journey SET revision = revision + 1, status = 'closed'
    WHERE journey_id = ANY(ARRAY(SELECT CAST(json_array_elements_text(%(closed)s) AS uuid)))
      AND EXISTS (SELECT FROM going)
"""
_SATISFACTION = Upsert(
    "satisfaction",
    {
        "partition": INTEGER, "customer": TEXT, "score": FLOAT8, "low": FLOAT8, "high": FLOAT8, "answers": FLOAT8,
        "answered": INTEGER, "as_of": MOMENT, "weight": NUMERIC, "weighted": NUMERIC, "model": TEXT,
    },
    ("customer",),
)  # fmt: skip
_CHURN = Upsert(
    "churn_risk",
    {
        "partition": INTEGER, "customer": TEXT, "probability": FLOAT8, "band": TEXT, "horizon_days": INTEGER,
        "as_of": MOMENT, "visits": INTEGER, "first_active_at": MOMENT, "last_active_at": MOMENT,
        "account_closed_at": MOMENT_OR_NULL, "last_seen_at": MOMENT, "reasons": written("jsonb", _reasons),
        "model": TEXT,
    },
    ("customer",),
)  # fmt: skip
_COUNTS = Upsert(
    "touchpoint_count",
    {"partition": INTEGER, "stage": TEXT, "channel": TEXT, "kind": TEXT, "catalogued": BOOLEAN}
    | dict.fromkeys(COUNTS, BIGINT),
    ("partition", "stage", "channel", "kind"),
    added=COUNTS,
)
_QUARANTINE = f"""
    INSERT INTO quarantine (topic, partition, "offset", reason, detail, key, raw, headers, appended_at)
    SELECT %(topic)s, partition, "offset", reason, detail, decode(key, 'hex'), decode(raw, 'hex'), headers,
           {sql_moment("appended_at")}
    FROM going, json_to_recordset(%(quarantine)s) AS new (
        partition integer, "offset" bigint, reason text, detail text, key text, raw text, headers jsonb,
        appended_at bigint)
    ON CONFLICT DO NOTHING
"""
_OUTBOX = """
    INSERT INTO outbox (topic, partition, commit, journeys, satisfaction, churn_risk, quarantined, forwards)
    SELECT %(topic)s, new.*
    FROM going, json_to_recordset(%(outbox)s) AS new (
        partition integer, commit bigint, journeys uuid[], satisfaction text[], churn_risk text[],
        quarantined bigint[], forwards jsonb)
"""
_PUBLISHED = """
    DELETE FROM outbox WHERE ctid = ANY(ARRAY(
        SELECT sent.ctid
        FROM json_to_recordset(%(position)s) AS mine (partition integer, published bigint)
        CROSS JOIN LATERAL (
            SELECT ctid FROM outbox
            WHERE topic = %(topic)s AND partition = mine.partition AND commit <= mine.published
            OFFSET 0
        ) AS sent
    ))
"""

#: All in one statement, and so in one transaction and one round trip. Unless `held` has all of the partitions, there is
#: no row in `going`, and nothing is written.
_COMMIT = f"""
    WITH held AS ({_HELD}),
         going AS (SELECT FROM held HAVING count(*) = %(partitions)s),
         moved AS ({_POSITIONS}),
         journeys AS ({_JOURNEYS.sql}),
         closed AS ({_CLOSED}),
         satisfactions AS ({_SATISFACTION.sql}),
         risks AS ({_CHURN.sql}),
         counts AS ({_COUNTS.sql}),
         refused AS ({_QUARANTINE}),
         told AS ({_OUTBOX}),
         confirmed AS ({_PUBLISHED} AND EXISTS (SELECT FROM going))
    SELECT count(*) FROM moved
"""


class Entry(NamedTuple):
    """A partition's batch that is to be committed.

    `published` is the number of the partition's last commit whose records the broker has confirmed; the outbox rows up
    to it go.
    """

    claim: Claim
    batch: Batch
    published: int


async def commit(connection: AsyncConnection, entries: Sequence[Entry]) -> list[Claim]:
    """Write batches of different partitions of a topic in one transaction; the claims for the next ones.

    `connection` is in autocommit. Raises Fenced when one of the partitions was taken, or another commit has come in
    between; nothing of any is written then.
    """
    raw = await _raw(connection)
    written = await raw.execute(_COMMIT, parameters(entries))
    if await written.fetchone() != (len(entries),):
        numbers = ", ".join(str(entry.claim.partition) for entry in entries)
        raise Fenced(f"of the partitions {numbers} another worker has taken at least one")
    return [
        claim._replace(commits=claim.commits + 1, next_offset=batch.next_offset, watermark=batch.watermark)
        for claim, batch, _ in entries
    ]


def parameters(entries: Sequence[Entry]) -> dict[str, Any]:
    """What the statement of `commit` is run with."""
    batches = [entry.batch for entry in entries]
    return {
        **_JOURNEYS.parameters(
            (b.partition, *row) for b in batches for row in b.journeys if row.journey_id not in b.only_closed
        ),
        **_SATISFACTION.parameters((b.partition, *row) for b in batches for row in b.satisfaction),
        **_CHURN.parameters((b.partition, *row) for b in batches for row in b.churn),
        **_COUNTS.parameters(row for b in batches for row in _counts(b)),
        "topic": entries[0].claim.topic,
        "partitions": len(entries),
        "position": _json([_position(entry) for entry in entries]),
        "closed": _json([journey_id for b in batches for journey_id in b.only_closed]),
        "quarantine": _json([_quarantine(refused, b.partition) for b in batches for refused in b.refused]),
        "outbox": _json([_outbox(entry) for entry in entries if _tells(entry.batch)]),
    }


async def clear_outbox(connection: AsyncConnection, claim: Claim, published: int) -> None:
    """Drop the outbox rows of commits that the broker has confirmed, up to `published`."""
    raw = await _raw(connection)
    position = _json([{"partition": claim.partition, "published": published}])
    await raw.execute(_PUBLISHED, {"topic": claim.topic, "position": position})


async def _raw(connection: AsyncConnection) -> psycopg.AsyncConnection[Any]:
    """The driver's own connection, which prepares a statement that is run again and again."""
    raw = (await connection.get_raw_connection()).driver_connection
    assert isinstance(raw, psycopg.AsyncConnection)
    return raw


def _json(rows: Sequence[Any]) -> Json:
    return Json(rows, dumps=_dump)


def _dump(rows: Any) -> bytes:
    return orjson.dumps(rows, option=orjson.OPT_UTC_Z)


def _position(entry: Entry) -> dict[str, Any]:
    claim, batch, published = entry
    return {
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
    }


def _counts(batch: Batch) -> list[tuple[Any, ...]]:
    return [(batch.partition, t.stage, t.channel, t.kind, t.catalogued, *sums) for t, sums in _distinct(batch).items()]


def _distinct(batch: Batch) -> dict[Any, Sequence[int]]:
    """The counts by what their table's key has: traits that differ otherwise are added up."""
    sums: dict[Any, Sequence[int]] = {}
    seen: dict[tuple[str, str, str], Any] = {}
    for traits, counts in batch.counts.items():
        first = seen.setdefault((traits.stage, traits.channel, traits.kind), traits)
        before = sums.get(first)
        sums[first] = counts if before is None else [a + b for a, b in zip(before, counts, strict=True)]
    return sums


def _quarantine(refused: Refused, partition: int) -> dict[str, Any]:
    record, why = refused
    return {
        "partition": partition,
        "offset": record.offset,
        "reason": why.reason,
        "detail": why.detail,
        "key": None if record.key is None else record.key.hex(),
        "raw": None if record.value is None else record.value.hex(),
        "headers": _headers(record.headers),
        "appended_at": record.timestamp,
    }


def _tells(batch: Batch) -> bool:
    """Whether anything of a batch is to be published."""
    return bool(batch.journeys or batch.satisfaction or batch.churn or batch.refused or batch.forwarded)


def _outbox(entry: Entry) -> dict[str, Any]:
    claim, batch, _ = entry
    return {
        "partition": claim.partition,
        "commit": claim.commits + 1,
        "journeys": [row.journey_id for row in batch.journeys],
        "satisfaction": [row.customer for row in batch.satisfaction],
        "churn_risk": [row.customer for row in batch.churn],
        "quarantined": [refused.record.offset for refused in batch.refused],
        "forwards": [
            {"key": f.key.hex(), "value": f.value.hex(), "headers": _headers(f.headers)} for f in batch.forwarded
        ],
    }


def _headers(headers: Headers) -> list[list[str]]:
    """Headers for JSON, which holds neither bytes nor, in Postgres, NUL characters."""
    return [[name.replace("\0", "\ufffd"), (value or b"").hex()] for name, value in headers]
