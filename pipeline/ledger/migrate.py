"""Bringing the database up to date: migrations, functions and views, and the shipped models."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, Engine, TextClause, text
from sqlalchemy.exc import OperationalError

from pipeline.errors import InvalidInput, Unavailable
from pipeline.scores.registry import SCORES

_MIGRATIONS = Path(__file__).parent / "migrations"
#: Seconds for which a migration waits for a table. While it waits, workers that come after it wait as well.
LOCK_TIMEOUT_S = 10
#: Names the advisory lock, so that two `pipeline init` at once do not meet.
_LOCK = 0x746F756368
_SHIP_MODEL = text("""
    INSERT INTO model (name, version, parameters, source, fitted_at, active)
    VALUES (:name, :version, CAST(:parameters AS jsonb), :source, now(),
            NOT EXISTS (SELECT FROM model WHERE name = :name AND active))
    ON CONFLICT DO NOTHING
""")


def migrate(engine: Engine) -> tuple[str | None, str]:
    """Bring the schema to this version's, idempotently; the revision before (None: there was none) and after.

    All in one transaction: either everything is there afterwards or nothing has changed. Raises InvalidInput for a
    database that a newer version has migrated, and Unavailable where a table is locked for long.
    """
    config = _config()
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'"))
        before = _revision(connection)
        script = ScriptDirectory.from_config(config)
        head = script.get_current_head()
        assert head is not None
        if before is not None and before not in {revision.revision for revision in script.walk_revisions()}:
            raise InvalidInput(
                f"The database is at revision {before}, which this version does not know; it goes up to {head}. "
                "Use a newer version of touchpoint-pipeline."
            )
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
            for sql in _functions_and_views():
                connection.execute(script_text(sql))
            _ship_models(connection)
        except OperationalError as error:
            if isinstance(error.orig, LockNotAvailable):
                raise Unavailable(
                    f"A table was locked for {LOCK_TIMEOUT_S} seconds, and nothing has been changed. Another program "
                    "holds it (look for long transactions in pg_stat_activity); try again."
                ) from None
            raise
    return before, head


def _functions_and_views() -> list[str]:
    """Return the SQL of the functions and views, in the order in which they depend on each other."""
    own = files("pipeline.ledger") / "sql"
    functions, *views = [(own / f"{name}.sql").read_text(encoding="utf-8") for name in ("functions", "views", "cases")]
    scores = [sql for score in SCORES for sql in score.as_of_sql]
    return [functions, *scores, *views]


def script_text(sql: str) -> TextClause:
    """Statements to be run as they are: no colon in them is a parameter."""
    return text(sql.replace(":", "\\:"))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _ship_models(connection: Connection) -> None:
    """Insert the models that this version ships; the active one of a name stays as it is."""
    for shipped in [score.default_model for score in SCORES]:
        values = {
            "name": shipped.NAME,
            "version": shipped.version,
            "parameters": json.dumps(shipped.parameters()),
            "source": shipped.source,
        }
        connection.execute(_SHIP_MODEL, values)
