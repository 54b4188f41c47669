"""Whether the database is at this version's revision: read without alembic, which would take a tenth of a start."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from pipeline.errors import InvalidInput

_VERSIONS = Path(__file__).parent / "migrations" / "versions"


def head() -> str:
    """This version's revision: the files of migrations begin with theirs, and come one after the other."""
    return max(file.stem for file in _VERSIONS.glob("[0-9]*.py")).partition("_")[0]


def require_current(connection: Connection) -> None:
    """Raise InvalidInput, which says what to run, unless the database is at this version's revision."""
    revision = None
    if inspect(connection).has_table("alembic_version"):
        revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision is None:
        raise InvalidInput("The database has no tables yet. Run `pipeline init`.")
    if revision == head():
        return
    state = f"The database is at revision {revision}, and this version needs {head()}."
    if revision > head():
        raise InvalidInput(f"{state} A newer version has migrated it: start that one instead.")
    raise InvalidInput(f"{state} Run `pipeline init`.")
