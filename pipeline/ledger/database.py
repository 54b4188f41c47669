"""Connecting to Postgres, and telling what passes from what does not."""

from __future__ import annotations

from typing import Any

import psycopg
from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from pipeline.errors import InvalidInput, Unavailable

_CONNECT: dict[str, Any] = {
    "connect_timeout": 5,
    "application_name": "touchpoint-pipeline",
    "options": "-c timezone=UTC",
}
#: SQLSTATE classes of what another try may mend: connection, resources, operator intervention, rollback of concurrency.
_PASSING = ("08", "53", "57", "40", "55P03", "58")


def sync_engine(database_url: str) -> Engine:
    """Return an engine for commands; statements run one at a time. Raises InvalidInput for a URL that is none."""
    return create_engine(_url(database_url), pool_pre_ping=True, connect_args=_CONNECT)


def async_engine(database_url: str, statement_timeout_s: float) -> AsyncEngine:
    """Return an engine for the worker, whose statements end with an error after `statement_timeout_s` seconds."""
    # A worker that is stopped in the middle of a transaction must not hold up its successor for long.
    options = (
        _CONNECT["options"]
        + f" -c idle_in_transaction_session_timeout=10s -c statement_timeout={statement_timeout_s * 1000:.0f}"
    )
    return create_async_engine(_url(database_url), pool_size=3, connect_args={**_CONNECT, "options": options})


def cause_of(error: BaseException) -> BaseException | None:
    """Return the driver's error, where SQLAlchemy has wrapped it."""
    return error.orig if isinstance(error, DBAPIError) else error


def is_passing(error: BaseException) -> bool:
    """Whether an error of the database may be gone at another try: it is away, restarting, full, or in conflict."""
    cause = cause_of(error)
    if isinstance(cause, psycopg.Error):
        if cause.sqlstate is None:
            return isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)
        return cause.sqlstate.startswith(_PASSING)
    return isinstance(cause, OSError | TimeoutError)


def unavailable(database_url: str, error: BaseException) -> Unavailable:
    """Return an error that names the database's place and the mend, and no password."""
    url = make_url(database_url)
    said = str(getattr(error, "orig", error)).strip().splitlines() or [type(error).__name__]
    return Unavailable(
        f"The database {url.database or ''} at {url.host or 'its socket'}:{url.port or 5432} can't be used: {said[0]}. "
        "Check DATABASE_URL, or `pipeline status` for the local one."
    )


def _url(database_url: str) -> URL:
    try:
        return make_url(database_url)
    except ArgumentError:
        raise InvalidInput(
            "DATABASE_URL can't be read; it takes SQLAlchemy's form: postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME"
        ) from None
