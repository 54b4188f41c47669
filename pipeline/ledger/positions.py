"""Positions: how far each partition is, and which worker has taken it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.ledger.moments import sql_ms
from pipeline.topics import EXCHANGE


class Position(NamedTuple):
    """How far a partition is, as the worker that has taken it knows it: a row of the table `position`.

    A commit has to show the epoch and the number of the commit before it. `commits` is the number of the last commit;
    `lineage` tells it from that of a ledger that was made anew. `watermark` is in epoch milliseconds, 0 before the
    first event. `next_exchange_offset` is how far the partition of the exchange topic is.
    """

    topic: str
    partition: int
    epoch: int
    commits: int
    next_offset: int
    watermark: int
    lineage: str
    next_exchange_offset: int = 0

    def next_offset_of(self, topic: str) -> int:
        """Return how far the partition of a topic is."""
        return self.next_exchange_offset if topic == EXCHANGE else self.next_offset


class Fenced(Exception):
    """Another worker has taken the partition; what this one knows about it is void."""


_COLUMNS = f"""
    topic, partition, epoch, commits, next_offset, coalesce({sql_ms("watermark")}, 0) AS watermark,
    lineage::text AS lineage, next_exchange_offset
"""
_TAKE = text(f"""
    INSERT INTO position AS p (topic, partition, next_offset, epoch, owner, publishers)
    SELECT :topic, number, 0, 1, :owner, ARRAY[:owner]
    FROM unnest(CAST(:partitions AS integer[])) AS number ORDER BY number
    ON CONFLICT (topic, partition) DO UPDATE SET epoch = p.epoch + 1, owner = EXCLUDED.owner, updated_at = now(),
        publishers = array_remove(p.publishers, EXCLUDED.owner) || EXCLUDED.owner
    RETURNING {_COLUMNS}, publishers
""")
_SOLE_PUBLISHER = text("""
    UPDATE position SET publishers = ARRAY[owner]
    FROM unnest(CAST(:partitions AS integer[]), CAST(:epochs AS bigint[])) AS mine (number, taken)
    WHERE topic = :topic AND partition = number AND epoch = taken AND publishers <> ARRAY[owner]
""")
_CURRENT = text(f"SELECT {_COLUMNS} FROM position WHERE topic = :topic AND partition = :partition")


async def take_partitions(
    connection: AsyncConnection, topic: str, partitions: Iterable[int], owner: str
) -> tuple[list[Position], set[str]]:
    """Take partitions: from now on, no commit of an earlier owner gets in. Waits for one that is under way.

    Also returns the other owners that may still be publishing what they committed; see `set_sole_publisher`.
    """
    rows = await connection.execute(_TAKE, {"topic": topic, "partitions": sorted(partitions), "owner": owner})
    positions, publishers = [], set()
    for row in rows:
        columns = dict(row._mapping)
        publishers.update(columns.pop("publishers"))
        positions.append(Position(**columns))
    return positions, publishers - {owner}


async def set_sole_publisher(connection: AsyncConnection, positions: Sequence[Position]) -> None:
    """Note that earlier owners of these partitions, all of one topic, cannot publish any more."""
    if positions:
        numbers, epochs = [each.partition for each in positions], [each.epoch for each in positions]
        parameters = {"topic": positions[0].topic, "partitions": numbers, "epochs": epochs}
        await connection.execute(_SOLE_PUBLISHER, parameters)


async def position_after(connection: AsyncConnection, position: Position) -> Position:
    """Return the position after the one commit that this worker tried to make, and whose answer did not arrive.

    Raises Fenced when there is no such commit: another worker has taken the partition.
    """
    now = await current_position(connection, position)
    if now.commits != position.commits + 1:
        raise Fenced(f"partition {position.partition} is at commit {now.commits:,}, not {position.commits + 1:,}")
    return now


async def current_position(connection: AsyncConnection, position: Position) -> Position:
    """Return the position as the ledger has it now. Raises Fenced when another worker has taken the partition."""
    parameters = {"topic": position.topic, "partition": position.partition}
    row = (await connection.execute(_CURRENT, parameters)).one_or_none()
    if row is None or row.epoch != position.epoch:
        epoch = row.epoch if row else "gone"
        raise Fenced(f"partition {position.partition} was taken by another worker (epoch {epoch})")
    return Position(**row._mapping)
