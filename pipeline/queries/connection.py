"""Connections for queries: one consistent view of the tables, and errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from pipeline.connections.database import sync_engine, unavailable
from pipeline.ledger.revision import require_current


@contextmanager
def reading(database_url: str) -> Iterator[Connection]:
    """Open a read-only connection with one consistent view of the tables.

    Raises Unavailable when the database does not answer, InvalidInput when `pipeline init` has not migrated it.
    """
    with _connected(database_url, "REPEATABLE READ", read_only=True) as connection:
        yield connection


@contextmanager
def writing(database_url: str) -> Iterator[Connection]:
    """Open a connection for transactions; the caller commits. Raises as `reading` does."""
    with _connected(database_url, "READ COMMITTED", read_only=False) as connection:
        yield connection


@contextmanager
def _connected(database_url: str, isolation: str, *, read_only: bool) -> Iterator[Connection]:
    engine = sync_engine(database_url).execution_options(isolation_level=isolation, postgresql_readonly=read_only)
    try:
        with engine.connect() as connection:
            require_current(connection)
            connection.rollback()
            try:
                yield connection
            except (KeyboardInterrupt, SystemExit):
                connection.invalidate()  # a statement may be under way, and rolling back would complain about it
                raise
    except DBAPIError as error:
        raise unavailable(database_url, error) from None
    finally:
        engine.dispose()
