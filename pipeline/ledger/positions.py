"""Positions: how far each partition is, and who owns it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.ledger.moments import sql_ms


class Claim(NamedTuple):
    """A partition that was taken: commits must show its epoch, and come one after the other.

    `watermark` in epoch milliseconds, 0 before the first event; `commits` is the number of the last commit, and
    `lineage` tells it from that of a ledger made anew.
    """

    topic: str
    partition: int
    epoch: int
    commits: int
    next_offset: int
    watermark: int
    lineage: str


class Fenced(Exception):
    """Another worker has taken the partition; what this one knows of it is void."""


_COLUMNS = f"""
    topic, partition, epoch, commits, next_offset, coalesce({sql_ms("watermark")}, 0) AS watermark,
    lineage::text AS lineage
"""
_TAKE = text(f"""
    INSERT INTO position AS p (topic, partition, next_offset, epoch, owner, publishers)
    SELECT :topic, number, 0, 1, :owner, ARRAY[:owner]
    FROM unnest(CAST(:partitions AS integer[])) AS number ORDER BY number
    ON CONFLICT (topic, partition) DO UPDATE SET epoch = p.epoch + 1, owner = EXCLUDED.owner, updated_at = now(),
        publishers = array_remove(p.publishers, EXCLUDED.owner) || EXCLUDED.owner
    RETURNING {_COLUMNS}, publishers
""")
_ALONE = text("""
    UPDATE position SET publishers = ARRAY[owner]
    FROM unnest(CAST(:partitions AS integer[]), CAST(:epochs AS bigint[])) AS mine (number, taken)
    WHERE topic = :topic AND partition = number AND epoch = taken AND publishers <> ARRAY[owner]
""")
_CLAIM = text(f"SELECT {_COLUMNS} FROM position WHERE topic = :topic AND partition = :partition")


async def take(
    connection: AsyncConnection, topic: str, partitions: Iterable[int], owner: str
) -> tuple[list[Claim], set[str]]:
    """Take partitions: from now on, no commit of whoever had them before is let in. Waits for one under way.

    Also returns the other owners who may still be publishing what they committed; see `alone`.
    """
    rows = await connection.execute(_TAKE, {"topic": topic, "partitions": sorted(partitions), "owner": owner})
    claims, publishers = [], set()
    for row in rows:
        found = dict(row._mapping)
        publishers.update(found.pop("publishers"))
        claims.append(Claim(**found))
    return claims, publishers - {owner}


async def alone(connection: AsyncConnection, topic: str, claims: Sequence[Claim]) -> None:
    """Note that earlier owners of these partitions of a topic can't publish any more."""
    numbers, epochs = [claim.partition for claim in claims], [claim.epoch for claim in claims]
    await connection.execute(_ALONE, {"topic": topic, "partitions": numbers, "epochs": epochs})


async def after(connection: AsyncConnection, claim: Claim) -> Claim:
    """The claim after the one commit that this worker tried to make, whose answer it has not got.

    Raises Fenced when there is no such commit: somebody else has taken the partition.
    """
    now = await current(connection, claim)
    if now.commits != claim.commits + 1:
        raise Fenced(f"partition {claim.partition} is at commit {now.commits:,}, not {claim.commits + 1:,}")
    return now


async def current(connection: AsyncConnection, claim: Claim) -> Claim:
    """The claim as the ledger has it now; raises Fenced when somebody else has taken the partition."""
    row = (await connection.execute(_CLAIM, {"topic": claim.topic, "partition": claim.partition})).one_or_none()
    if row is None or row.epoch != claim.epoch:
        raise Fenced(f"partition {claim.partition} was taken by another worker (epoch {row.epoch if row else 'gone'})")
    return Claim(**row._mapping)
