"""Bringing the database up to date: migrations, functions and views, and the shipped models."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, TextClause, text
from sqlalchemy.dialects.postgresql import insert

from pipeline.churn import model as churn
from pipeline.errors import InvalidInput
from pipeline.ledger import tables
from pipeline.satisfaction import model as satisfaction

_MIGRATIONS = Path(__file__).parent / "migrations"
#: Names the advisory lock, so that two `pipeline init` at once do not meet.
_LOCK = 0x746F756368


def migrate(engine: Engine) -> tuple[str | None, str]:
    """Bring the schema to this version's, idempotently; the revision before (None: there was none) and after.

    All in one transaction: either everything is there afterwards or nothing has changed. Raises InvalidInput for a
    database that a newer version has migrated.
    """
    config = _config()
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
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
        command.upgrade(config, "head")
        for name in ("scores.sql", "views.sql"):
            connection.execute(script_text((files("pipeline.ledger") / "sql" / name).read_text(encoding="utf-8")))
        _ship_models(connection)
    return before, head


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
    """Put in the models that this version ships; the active one of a name stays as it is."""
    for shipped in (satisfaction.DEFAULT, churn.DEFAULT):
        active = connection.execute(
            text("SELECT 1 FROM model WHERE name = :name AND active"), {"name": shipped.NAME}
        ).scalar()
        connection.execute(
            insert(tables.model)
            .values(
                name=shipped.NAME,
                version=shipped.version,
                parameters=shipped.parameters(),
                source=shipped.source,
                fitted_at=text("now()"),
                active=active is None,
            )
            .on_conflict_do_nothing()
        )
