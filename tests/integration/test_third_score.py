"""A third score takes a folder, a migration and a line: it is scored, committed, loaded and published like others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from contact_count.score import CONTACT_COUNT
from contracts.ledger import GRACE_MS, touchpoint
from fastavro import schemaless_reader
from memory import ACTIVE_SCORES, MINUTE, NOW, POLICY, T0, WRITERS, record
from sqlalchemy import Engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from pipeline import catalogue
from pipeline.contract.schema import parse_safely
from pipeline.flow.admission import Admission
from pipeline.flow.advance import advance, customers_to_load
from pipeline.flow.slices import Slice
from pipeline.flow.state import Partition
from pipeline.flow.values import Batch
from pipeline.ledger.commit import Commit
from pipeline.ledger.positions import Position
from pipeline.ledger.postgres import PostgresLedger
from pipeline.ledger.session import Session
from pipeline.publishing.records import OutgoingRecord, RecordSerializer
from pipeline.retry import Retry
from pipeline.scores.protocol import ActiveScore, Score
from pipeline.scores.registry import SCORES, topic_schemas
from pipeline.topics import TOUCHPOINTS
from pipeline.touchpoint import Touchpoint

#: The line.
THREE_SCORES: list[Score[Any, Any]] = [*SCORES, CONTACT_COUNT]
ACTIVE = [*ACTIVE_SCORES, ActiveScore(CONTACT_COUNT, CONTACT_COUNT.default_model)]
SCHEMA = "third_score"


@pytest.fixture
def database(stack_env: dict[str, str], initialised: Engine) -> Iterator[str]:
    """A schema of the database with the tables of `pipeline init`, and those of the third score."""
    url = stack_env["DATABASE_URL"]
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        connection.execute(f"CREATE SCHEMA {SCHEMA}")
        for (table,) in tables:
            connection.execute(f'CREATE TABLE {SCHEMA}."{table}" (LIKE public."{table}" INCLUDING ALL)')
        connection.execute(f"SET search_path = {SCHEMA}, public")
        connection.execute((Path(__file__).parent / "contact_count" / "migration.sql").read_bytes())
        for sql in CONTACT_COUNT.as_of_sql:
            connection.execute(sql.encode())
    yield url
    with initialised.begin() as own:
        own.execute(text(f"DROP SCHEMA {SCHEMA} CASCADE"))


def values(sent: list[OutgoingRecord], score: Score[Any, Any]) -> list[Any]:
    schema = parse_safely(topic_schemas(THREE_SCORES)[score.topic])
    return [schemaless_reader(BytesIO((r.value or b"")[5:]), schema, None) for r in sent if r.topic == score.topic]


def test_a_third_score_needs_a_folder_a_migration_and_a_line(database: str) -> None:
    async def batch(ledger: PostgresLedger, position: Position, *touchpoints: Touchpoint) -> Batch:
        begin = position.next_offset
        records = [record(each, begin + n) for n, each in enumerate(touchpoints)]
        given = Slice(0, begin, begin + len(records), records)
        [admitted] = Admission(catalogue.load(), POLICY, 1).admit([given], WRITERS, NOW)
        state = Partition(0, begin, position.watermark)
        state.customers |= await ledger.load_customers(customers_to_load(state, admitted))
        return advance(state, admitted, now_ms=NOW, grace_ms=GRACE_MS, scores=ACTIVE)

    async def run() -> None:
        options = {"options": f"-c timezone=UTC -c search_path={SCHEMA},public"}
        engine = create_async_engine(database, connect_args=options)
        ledger = PostgresLedger(Session(engine), Retry(passing=lambda _error: False), THREE_SCORES)
        serializer = RecordSerializer(dict.fromkeys(topic_schemas(THREE_SCORES), 7), THREE_SCORES)
        try:
            [position], _ = await ledger.take_partitions(TOUCHPOINTS, [0], "test")
            first = await batch(ledger, position, touchpoint("a"), touchpoint("b", 1))
            [position] = await ledger.commit([Commit(position, first)])
            mail = touchpoint("c", 2, "2", channel="email", kind="email_delivered")
            second = await batch(ledger, position, touchpoint("d", 3), mail)
            [position] = await ledger.commit([Commit(position, second)])
            [row] = second.scores["contact_count"]
            assert (row.customer, row.contacts, row.as_of) == ("customer:1", 3, T0 + 3 * MINUTE)
            loaded = await ledger.load_customers({"customer:1": T0, "customer:2": T0})
            assert loaded["customer:1"].scores["contact_count"] == (3, T0 + 3 * MINUTE)
            assert "contact_count" not in loaded["customer:2"].scores
            expected = {"customer": "customer:1", "contacts": 3, "as_of": row.as_of, "model": "contact_count 1"}
            assert values(list(serializer.of_batch(second)), CONTACT_COUNT) == [expected]
            rest = await ledger.load_unpublished(position, 0)
            assert rest is not None
            assert values(list(serializer.of_unpublished(rest, 0)), CONTACT_COUNT) == [expected]
        finally:
            await ledger.close()
            await engine.dispose()

    asyncio.run(run())
