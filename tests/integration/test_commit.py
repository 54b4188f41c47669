"""The one statement of a commit, when others touch its rows at the same time."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from fuzz.records import valid
from fuzz.touchpoints import NOW_MS
from harness import Pipe
from sqlalchemy import text
from test_storable import Line, on_the_ledger

from pipeline.flow.advance import advance
from pipeline.flow.state import Partition
from pipeline.flow.values import AdmittedSlice
from pipeline.ledger.commit import Commit
from pipeline.ledger.positions import Fenced
from pipeline.topics import TOUCHPOINTS


def test_a_commit_that_has_to_wait_for_its_position_counts_once(pipe: Pipe) -> None:
    """Somebody else changes the row, and not the epoch: the statement goes on with the row as it is then."""
    random = Random(3)

    async def work(line: Line) -> None:
        await line.step([valid(random)])
        with pipe.engine.connect() as other:
            other.execute(text("UPDATE position SET publishers = ARRAY['somebody']"))
            async with asyncio.TaskGroup() as group:
                group.create_task(line.step([valid(random) for _ in range(20)]))
                while not pipe.sql("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
                    await asyncio.sleep(0.01)
                other.commit()
        await line.step([valid(random)])

    on_the_ledger(pipe, work)
    [row] = pipe.sql(
        "SELECT commits, next_offset, processed + duplicates + quarantined + forwarded AS n, publishers FROM position"
    )
    assert (row.commits, row.next_offset, row.n, row.publishers) == (3, 22, 22, ["somebody"])


def test_nothing_of_any_partition_is_written_when_one_was_taken(pipe: Pipe) -> None:
    async def work(line: Line) -> None:
        positions, _ = await line.ledger.take_partitions(TOUCHPOINTS, [1, 2], "test")
        commits = [
            Commit(
                position,
                advance(
                    Partition(position.partition, 0, 0), AdmittedSlice(position.partition, 7),
                    now_ms=NOW_MS, grace_ms=0, scores=[],
                ),
            )
            for position in positions
        ]  # fmt: skip
        with pipe.engine.begin() as other:
            other.execute(text("UPDATE position SET epoch = epoch + 1 WHERE partition = 2"))
        with pytest.raises(Fenced):
            await line.ledger.commit(commits)

    on_the_ledger(pipe, work)
    rows = pipe.sql("SELECT partition, next_offset, commits FROM position WHERE partition > 0 ORDER BY 1")
    assert [tuple(row) for row in rows] == [(1, 0, 0), (2, 0, 0)]
