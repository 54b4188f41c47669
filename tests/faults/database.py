"""The gate's own databases and sessions: making them, looking, and hurting."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import DBAPIError

from faults import history
from faults.history import Change
from faults.waiting import wait_for
from pipeline.connections.database import sync_engine
from pipeline.ledger.migrate import migrate

#: Transactions end in another order than that of their numbers: so many are read again.
_IN_FLIGHT = 200
LIVE, UNDISTURBED = "faults_live", "faults_undisturbed"


@dataclass
class Database:
    """One database, with `url` in SQLAlchemy's form, as its owner sees it."""

    url: str = field(repr=False)
    _changes: dict[int, Change] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.engine: Engine = sync_engine(self.url)

    def rows(self, query: str, **parameters: Any) -> list[Any]:
        """Rows of a query."""
        with self.engine.connect() as connection:
            return list(connection.execute(text(query), parameters))

    def run(self, *statements: str) -> None:
        """Statements, each on its own."""
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in statements:
                connection.execute(text(statement))

    def changes(self) -> list[Change]:
        """All changes of positions up to now; waits for a database that is away for a moment."""

        def read() -> bool:
            try:
                with self.engine.connect() as connection:
                    self._changes |= history.read(connection, max(self._changes, default=0) - _IN_FLIGHT)
            except DBAPIError:
                self.engine.dispose()
                return False
            return True

        wait_for(read, "the database answers", 60)
        return [self._changes[number] for number in sorted(self._changes)]

    def all_changes(self) -> list[Change]:
        """All changes of positions, read anew."""
        self._changes.clear()
        return self.changes()

    def accounted(self) -> int:
        """How many records were processed, duplicates, quarantined or sent on."""
        now = {change.partition: change.accounted for change in self.changes()}
        return sum(now.values())

    @contextmanager
    def session(self) -> Iterator[Any]:
        """A connection whose transactions the history does not see and whose waiting is not cut short."""
        with self.engine.connect() as connection:
            connection.execute(text("SET session_replication_role = replica"))
            connection.execute(text("SET deadlock_timeout = '20s'"))
            connection.execute(text("SET default_transaction_isolation = 'read committed'"))
            connection.commit()
            try:
                yield connection
            finally:
                connection.rollback()
                connection.invalidate()

    def blocked_by(self, pid: int) -> bool:
        """Whether a session waits for a lock of another one."""
        return bool(self.rows("SELECT 1 FROM pg_stat_activity WHERE :pid = ANY (pg_blocking_pids(pid))", pid=pid))


def create(server_url: str, name: str) -> Database:
    """A new, migrated database on the server; one of that name that is there already goes."""
    url = make_url(server_url)
    outside = Database(url.set(database="postgres").render_as_string(hide_password=False))
    outside.run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"')
    outside.engine.dispose()
    made = Database(url.set(database=name).render_as_string(hide_password=False))
    migrate(made.engine)
    return made


def drop(server_url: str, names: Sequence[str], roles: Sequence[str]) -> None:
    """Remove databases and roles, if they are there."""
    outside = Database(make_url(server_url).set(database="postgres").render_as_string(hide_password=False))
    outside.run(*(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)' for name in names))
    outside.run(*(f'DROP ROLE IF EXISTS "{role}"' for role in roles))
    outside.engine.dispose()


def watch(database: Database) -> None:
    """Have the database note every change of a position from now on."""
    with database.engine.begin() as connection:
        connection.execute(history.INSTALL)


def role(database: Database, name: str, port: int) -> str:
    """A role of a worker's own, so that the history tells who did what; the URL for it, by way of `port`."""
    password = secrets.token_hex(16)
    database.run(f'DROP ROLE IF EXISTS "{name}"', f"CREATE ROLE \"{name}\" SUPERUSER LOGIN PASSWORD '{password}'")
    url = make_url(database.url).set(username=name, password=password, port=port)
    return url.render_as_string(hide_password=False)
