"""Committing batches in one transaction: journeys, scores, the outbox, the quarantine, and the positions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import orjson
import psycopg
from psycopg.types.json import Json
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.cases.row import CASE
from pipeline.flow.count_row import TOUCHPOINT_COUNT
from pipeline.flow.exchange import ExchangeRecord
from pipeline.flow.feedback import FEEDBACK, VERBATIM
from pipeline.flow.values import Batch, Headers, Refused
from pipeline.journey.row import JOURNEY
from pipeline.ledger.commit_identity import IdentityStatement, changes_identity
from pipeline.ledger.moments import sql_moment
from pipeline.ledger.positions import Fenced, Position
from pipeline.ledger.upsert import Upsert
from pipeline.scores.protocol import Score
from pipeline.scores.registry import published as published_scores

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
        quarantined = p.quarantined + new.quarantined, forwarded = p.forwarded + new.forwarded,
        next_exchange_offset = coalesce(new.next_exchange_offset, p.next_exchange_offset), updated_at = now()
    FROM going, json_to_recordset(%(position)s) AS new (
        partition integer, next_offset bigint, watermark bigint, processed bigint, duplicates bigint,
        quarantined bigint, forwarded bigint, next_exchange_offset bigint)
    WHERE p.topic = %(topic)s AND p.partition = new.partition
    RETURNING p.partition
"""
_CLOSED = """
    UPDATE journey SET revision = revision + 1, status = 'closed'
    WHERE journey_id = ANY(ARRAY(SELECT CAST(json_array_elements_text(%(closed)s) AS uuid)))
      AND EXISTS (SELECT FROM going)
"""
_QUARANTINE = f"""
    INSERT INTO quarantine (topic, partition, "offset", reason, detail, key, raw, headers, appended_at)
    SELECT %(topic)s, partition, "offset", reason, detail, decode(key, 'hex'), decode(raw, 'hex'), headers,
           {sql_moment("appended_at")}
    FROM going, json_to_recordset(%(quarantine)s) AS new (
        partition integer, "offset" bigint, reason text, detail text, key text, raw text, headers jsonb,
        appended_at bigint)
    ON CONFLICT DO NOTHING
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
#: Takes out of the outbox what the batches of the transaction deliver. A row's text is parsed where it holds such.
_DELIVERED = """
    UPDATE outbox SET forwards = (
        SELECT coalesce(jsonb_agg(forward), '[]') FROM jsonb_array_elements(forwards) AS forward
        WHERE NOT forward ? 'direct')
    WHERE ctid = ANY(ARRAY(
        SELECT told.ctid
        FROM json_to_recordset(%(position)s) AS mine (partition integer, undelivered_since bigint)
        CROSS JOIN LATERAL (
            SELECT ctid FROM outbox
            WHERE topic = %(topic)s AND partition = mine.partition AND commit >= mine.undelivered_since
            OFFSET 0
        ) AS told
    )) AND EXISTS (SELECT FROM going)
"""


class Commit(NamedTuple):
    """A partition's batch that is to be committed after `position`.

    `published` is the number of the partition's last commit whose records the broker has confirmed; the outbox rows up
    to it are deleted. The direct messages of the partition's commits from number `undelivered_since` on are delivered
    by the other batches of the transaction, and are no longer to be published.
    """

    position: Position
    batch: Batch
    published: int = 0
    undelivered_since: int | None = None


class CommitStatement:
    """All of a commit in one statement, and so in one transaction and one round trip.

    There are two: `identity_sql` is for commits that change who is who, `sql` for all others. Unless `held` has all of
    the partitions, `going` has no row, and nothing is written.
    """

    def __init__(self, scores: Sequence[Score[Any, Any]]) -> None:
        self._journeys, self._counts = Upsert(JOURNEY), Upsert(TOUCHPOINT_COUNT)
        self._feedback, self._verbatims = Upsert(FEEDBACK), Upsert(VERBATIM)
        self._cases = Upsert(CASE)
        self._scores = {score.table.name: Upsert(score.table) for score in scores}
        self._published = [score.table.name for score in published_scores(scores)]
        self._identity = IdentityStatement(scores)
        self.sql, self.identity_sql = (
            self._statement(),
            self._statement(f"{self._identity.sql} delivered AS ({_DELIVERED}), "),
        )

    def _statement(self, identity_parts: str = "") -> str:
        score_parts = "".join([f"{name}_rows AS ({upsert.sql}), " for name, upsert in self._scores.items()])
        return f"""
            WITH held AS ({_HELD}),
                 going AS (SELECT FROM held HAVING count(*) = %(partitions)s),
                 moved AS ({_POSITIONS}),
                 journeys AS ({self._journeys.sql}),
                 closed AS ({_CLOSED}),
                 {score_parts}
                 {identity_parts}
                 counts AS ({self._counts.sql}),
                 answers AS ({self._feedback.sql}),
                 verbatims AS ({self._verbatims.sql}),
                 followed AS ({self._cases.sql}),
                 refused AS ({_QUARANTINE}),
                 told AS ({self._outbox_sql()}),
                 confirmed AS ({_PUBLISHED} AND EXISTS (SELECT FROM going))
            SELECT count(*) FROM moved
        """

    def _outbox_sql(self) -> str:
        columns = {
            "partition": "integer", "commit": "bigint", "journeys": "uuid[]",
            **dict.fromkeys(self._published, "text[]"), "quarantined": "bigint[]", "forwards": "jsonb",
            "identities": "text[]", "cases": "jsonb",
        }  # fmt: skip
        names = ", ".join(columns)
        typed = ", ".join([f"{name} {sql}" for name, sql in columns.items()])
        return f"""
            INSERT INTO outbox (topic, {names})
            SELECT %(topic)s, {names} FROM going, json_to_recordset(%(outbox)s) AS new ({typed})
        """

    async def execute(self, connection: AsyncConnection, commits: Sequence[Commit]) -> list[Position]:
        """Write batches of different partitions of a topic in one transaction; return the positions after them.

        `connection` is in autocommit. Raises Fenced when one of the partitions was taken, or another commit has come in
        between; nothing is written then.
        """
        driver = await _driver_connection(connection)
        changes = any(changes_identity(commit.batch) or commit.undelivered_since is not None for commit in commits)
        arguments = self.arguments(commits)
        if changes:
            arguments |= self._identity.arrays([commit.batch for commit in commits])
        moved = await driver.execute(self.identity_sql if changes else self.sql, arguments)
        if await moved.fetchone() != (len(commits),):
            numbers = ", ".join(str(commit.position.partition) for commit in commits)
            raise Fenced(f"of the partitions {numbers} another worker has taken at least one")
        return [
            position._replace(
                commits=position.commits + 1,
                next_offset=batch.next_offset,
                next_exchange_offset=(
                    position.next_exchange_offset if batch.next_exchange_offset is None else batch.next_exchange_offset
                ),
                watermark=batch.watermark,
            )
            for position, batch, *_ in commits
        ]

    def arguments(self, commits: Sequence[Commit]) -> dict[str, Any]:
        """Return what the statement is executed with."""
        batches = [commit.batch for commit in commits]
        score_arrays: dict[str, Any] = {}
        for name, upsert in self._scores.items():
            score_arrays |= upsert.arrays((b.partition, b.scores.get(name, ())) for b in batches)
        return {
            **self._journeys.arrays(
                (b.partition, [row for row in b.journeys if row.journey_id not in b.only_closed]) for b in batches
            ),
            **score_arrays,
            **self._counts.arrays((b.partition, b.counts) for b in batches),
            **self._feedback.arrays((b.partition, b.feedback.answers) for b in batches),
            **self._verbatims.arrays((b.partition, b.feedback.verbatims) for b in batches),
            **self._cases.arrays((b.partition, b.cases) for b in batches),
            "topic": commits[0].position.topic,
            "partitions": len(commits),
            "position": _json([_position(commit) for commit in commits]),
            "closed": _json([journey_id for b in batches for journey_id in b.only_closed]),
            "quarantine": _json([_quarantine(refused, b.partition) for b in batches for refused in b.refused]),
            "outbox": _json([_outbox_row(commit, self._published) for commit in commits if _publishes(commit.batch)]),
        }


async def clear_outbox(connection: AsyncConnection, position: Position, published: int) -> None:
    """Delete the outbox rows of a partition's commits that the broker has confirmed, up to `published`."""
    driver = await _driver_connection(connection)
    mine = _json([{"partition": position.partition, "published": published}])
    await driver.execute(_PUBLISHED, {"topic": position.topic, "position": mine})


async def _driver_connection(connection: AsyncConnection) -> psycopg.AsyncConnection[Any]:
    """Return psycopg's own connection, which prepares a statement that is executed again and again."""
    driver = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver, psycopg.AsyncConnection)
    return driver


def _json(rows: Sequence[Any]) -> Json:
    return Json(rows, dumps=_dump)


def _dump(rows: Any) -> bytes:
    return orjson.dumps(rows, option=orjson.OPT_UTC_Z)


def _position(commit: Commit) -> dict[str, Any]:
    position, batch, published, undelivered_since = commit
    return {
        "partition": position.partition,
        "epoch": position.epoch,
        "commits": position.commits,
        "published": published,
        "undelivered_since": undelivered_since,
        "next_offset": batch.next_offset,
        "watermark": batch.watermark,
        "processed": batch.processed,
        "duplicates": batch.duplicates,
        "quarantined": len(batch.refused),
        "forwarded": len(batch.forwarded),
        "next_exchange_offset": batch.next_exchange_offset,
    }


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


def _publishes(batch: Batch) -> bool:
    """Return whether anything of a batch is to be published."""
    return bool(
        batch.journeys
        or batch.cases
        or any(batch.scores.values())
        or batch.refused
        or batch.forwarded
        or changes_identity(batch)
    )


def _outbox_row(commit: Commit, scores: Iterable[str]) -> dict[str, Any]:
    position, batch, *_ = commit
    return {
        "partition": position.partition,
        "commit": position.commits + 1,
        "journeys": [row.journey_id for row in batch.journeys],
        **{
            name: [*[row.customer for row in batch.scores.get(name, ())], *batch.removed_scores.get(name, ())]
            for name in scores
        },
        "quarantined": [refused.record.offset for refused in batch.refused],
        "forwards": [
            *[{"key": f.key.hex(), "value": f.value.hex(), "headers": _headers(f.headers)} for f in batch.forwarded],
            *[_exchanged(record) for record in (batch.identity.records if batch.identity else ())],
            *[
                {**_exchanged(record), "direct": True}
                for message in (batch.identity.direct if batch.identity else ())
                for record in message.records
            ],
        ],
        "identities": batch.identity.owners if batch.identity else [],
        "cases": [(row.customer, row.subject) for row in batch.cases],
    }


def _exchanged(record: ExchangeRecord) -> dict[str, Any]:
    key, value, partition = record
    return {"exchanged": value.decode(), "to": None if key is None else key.decode(), "partition": partition}


def _headers(headers: Headers) -> list[list[str]]:
    """Return headers for JSON, which holds neither bytes nor, in Postgres, NUL characters."""
    return [[name.replace("\0", "\ufffd"), (value or b"").hex()] for name, value in headers]
