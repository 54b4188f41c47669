"""The proxy cuts a commit where it is told to, on a real Postgres."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from faults.proxy import Proxy

#: What the proxy takes for a commit, on a table of that name in a schema of its own.
COMMIT = "UPDATE position AS p SET next_offset = next_offset + 1"


@pytest.fixture
def way(stack_env: dict[str, str]) -> Iterator[tuple[Proxy, str, psycopg.Connection[tuple[int]]]]:
    """A proxy, the connection string by way of it, and a connection past it."""
    url = make_url(stack_env["DATABASE_URL"])
    plain = f"host={url.host} user={url.username} password={url.password} dbname={url.database}"
    options = "options='-c search_path=proxy_test'"
    proxy = Proxy(str(url.host), int(url.port or 5432))
    with psycopg.connect(f"{plain} port={url.port} {options}", autocommit=True) as direct:
        direct.execute("CREATE SCHEMA proxy_test")
        direct.execute("CREATE TABLE position AS SELECT 0 AS next_offset")
        try:
            yield proxy, f"{plain} port={proxy.port} {options}", direct  # type: ignore[misc]
        finally:
            proxy.close()
            direct.execute(sql.SQL("DROP SCHEMA proxy_test CASCADE"))


def offset(direct: psycopg.Connection[tuple[int]]) -> int:
    found = direct.execute("SELECT next_offset FROM position").fetchone()
    assert found is not None
    return found[0]


@pytest.mark.parametrize("prepare", [False, True])
@pytest.mark.parametrize(("when", "happened"), [("before", 0), ("after", 1)])
def test_a_commit_that_is_cut_before_did_not_happen_and_one_cut_after_did_and_nobody_heard(
    way: tuple[Proxy, str, psycopg.Connection[tuple[int]]], when: str, happened: int, prepare: bool
) -> None:
    proxy, through, direct = way
    with psycopg.connect(through, autocommit=True) as connection:
        proxy.cut_a_commit(when)
        assert connection.execute("SELECT 7").fetchone() == (7,)
        with pytest.raises(psycopg.OperationalError):
            connection.execute(COMMIT, [], prepare=prepare)
    assert offset(direct) == happened
    assert proxy.cuts[when] == 1
    with psycopg.connect(through, autocommit=True) as connection:
        connection.execute(COMMIT, [], prepare=prepare)
    assert offset(direct) == happened + 1


def test_all_lines_are_cut_and_new_ones_are_let_through(
    way: tuple[Proxy, str, psycopg.Connection[tuple[int]]],
) -> None:
    proxy, through, _ = way
    with psycopg.connect(through, autocommit=True) as connection:
        connection.execute("SELECT 1")
        proxy.cut_all()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with psycopg.connect(through, autocommit=True) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
