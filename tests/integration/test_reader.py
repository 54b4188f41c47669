"""A pooled reader: one moment of the tables for each question, nothing is changed, connections are used again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import Pipe
from sqlalchemy import text

from pipeline.queries.connection import Reader


def test_many_questions_share_few_connections(pipe: Pipe) -> None:
    reader = Reader(pipe.env["DATABASE_URL"])

    def ask(_number: int) -> int:
        with reader.connection() as connection:
            return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())

    try:
        with ThreadPoolExecutor(4) as threads:
            assert len(set(threads.map(ask, range(60)))) <= 4
    finally:
        reader.close()


def test_a_connection_sees_one_moment_and_changes_nothing(pipe: Pipe) -> None:
    reader = Reader(pipe.env["DATABASE_URL"])
    count = text("SELECT count(*) FROM model")
    columns = "name, version, source, fitted_at, parameters, active"
    insert = text(f"INSERT INTO model ({columns}) VALUES ('x', '1', 's', now(), '{{}}', false)")
    try:
        with reader.connection() as connection:
            before = connection.execute(count).scalar_one()
            with pipe.engine.begin() as other:
                other.execute(insert)
            assert connection.execute(count).scalar_one() == before
        with reader.connection() as connection:
            assert connection.execute(count).scalar_one() == before + 1
        with pytest.raises(Exception, match="read-only"), reader.connection() as connection:
            connection.execute(text("DELETE FROM model"))
    finally:
        with pipe.engine.begin() as other:
            other.execute(text("DELETE FROM model WHERE name = 'x'"))
        reader.close()
