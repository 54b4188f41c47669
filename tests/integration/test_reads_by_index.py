"""A worker that began on empty tables does not read all of them later on: its statements are planned once."""

from __future__ import annotations

from random import Random
from typing import Any

from fuzz.records import valid
from harness import Pipe
from test_storable import Line, on_the_ledger

ALREADY = 20_000
STEPS = 25

_FILL = """
    INSERT INTO journey (journey_id, customer, partition, revision, status, started_at, ended_at, covers_until,
                         touchpoints, channels, outcome, failures, abandoned, begun_by_customer, is_visit, steps,
                         steps_omitted, keys)
    SELECT gen_random_uuid(), 'c' || n, 0, 1, 'open', now(), now(), now(), 1, '{}', 'none', 0, 0, true, true, '[]',
           0, ''
    FROM generate_series(1, %(n)s) AS n
"""


def test_what_is_read_does_not_grow_with_the_tables(pipe: Pipe) -> None:
    random = Random(1)

    def read() -> int:
        [row] = pipe.sql(
            "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint AS n FROM pg_stat_user_tables "
            "WHERE relname IN ('journey', 'satisfaction', 'churn_risk', 'outbox')"
        )
        return int(row.n)

    async def told(line: Line) -> int:
        async def flush(connection: Any) -> None:
            await connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")

        await line.session.run(flush)
        await line.step([valid(random)])  # what was counted is told when the next statement ends
        return read()

    async def work(line: Line) -> None:
        for _ in range(STEPS):  # often enough for each statement to be prepared, with a plan for any parameters
            await line.step([valid(random)])
        with pipe.engine.begin() as connection:
            connection.exec_driver_sql(_FILL, {"n": ALREADY})
        before = await told(line)
        for _ in range(STEPS):
            await line.step([valid(random)])
        assert await told(line) - before < ALREADY / 4

    on_the_ledger(pipe, work)
