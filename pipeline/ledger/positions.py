"""Positions: how far each partition is, and who owns it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.ledger.moments import sql_ms


class Claim(NamedTuple):
    """A partition that was taken: commits must show its epoch, and come one after the other.

    `watermark` in epoch milliseconds, 0 before the first event; `commits` is the number of the last commit.
    """

    topic: str
    partition: int
    epoch: int
    commits: int
    next_offset: int
    watermark: int


class Fenced(Exception):
    """Another worker has taken the partition; what this one knows of it is void."""


_TAKE = text(f"""
    INSERT INTO position AS p (topic, partition, next_offset, epoch, owner)
    SELECT :topic, number, 0, 1, :owner FROM unnest(CAST(:partitions AS integer[])) AS number ORDER BY number
    ON CONFLICT (topic, partition) DO UPDATE SET epoch = p.epoch + 1, owner = EXCLUDED.owner, updated_at = now()
    RETURNING topic, partition, epoch, commits, next_offset, coalesce({sql_ms("watermark")}, 0) AS watermark
""")

_CLAIM = text(f"""
    SELECT topic, partition, epoch, commits, next_offset, coalesce({sql_ms("watermark")}, 0) AS watermark
    FROM position WHERE topic = :topic AND partition = :partition
""")


async def take(connection: AsyncConnection, topic: str, partitions: Iterable[int], owner: str) -> list[Claim]:
    """Take partitions: whoever had them before is fenced off from now on. Waits for a commit of theirs under way."""
    rows = await connection.execute(_TAKE, {"topic": topic, "partitions": sorted(partitions), "owner": owner})
    return [Claim(**row._mapping) for row in rows]


async def current(connection: AsyncConnection, claim: Claim) -> Claim:
    """The claim as the ledger has it now; raises Fenced when somebody else has taken the partition."""
    row = (await connection.execute(_CLAIM, {"topic": claim.topic, "partition": claim.partition})).one_or_none()
    if row is None or row.epoch != claim.epoch:
        raise Fenced(f"partition {claim.partition} was taken by another worker (epoch {row.epoch if row else 'gone'})")
    return Claim(**row._mapping)
