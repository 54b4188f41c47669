"""Connections for queries: one consistent view of the tables, and errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from pipeline.connections.database import sync_engine, unavailable
from pipeline.ledger.revision import require_current


class Reader:
    """A pool of read-only connections, for services that answer many questions; may be used by several threads.

    Each connection sees one moment of the tables. Raises InvalidInput for a URL that can't be used.
    """

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._engine = sync_engine(database_url).execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a connection of the pool.

        Raises Unavailable when the database does not answer, InvalidInput when `pipeline init` has not migrated it.
        """
        with _connected(self._url, self._engine) as connection:
            yield connection

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


@contextmanager
def reading(database_url: str) -> Iterator[Connection]:
    """Open a read-only connection with one consistent view of the tables. Raises as `Reader.connection` does."""
    reader = Reader(database_url)
    try:
        with reader.connection() as connection:
            yield connection
    finally:
        reader.close()


@contextmanager
def writing(database_url: str) -> Iterator[Connection]:
    """Open a connection for transactions; the caller commits. Raises as `Reader.connection` does."""
    engine = sync_engine(database_url).execution_options(isolation_level="READ COMMITTED")
    try:
        with _connected(database_url, engine) as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def _connected(database_url: str, engine: Engine) -> Iterator[Connection]:
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
