"""How to reach Postgres, and which errors may be gone at another try."""

from __future__ import annotations

import logging
import os
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
#: The name under which the pools of commands log.
_COMMAND = "command"
#: TLS modes of libpq that do not verify the server's name, although one of them sounds as if it did.
_UNVERIFIED = ("allow", "prefer", "require", "verify-ca")
#: SQLSTATE classes of what another try may mend: connection, resources, operator intervention, rollback of concurrency.
_PASSING = ("08", "53", "57", "40", "55P03", "58")


def sync_engine(database_url: str) -> Engine:
    """Return an engine for commands; statements run one at a time. Raises InvalidInput for a URL that is none."""
    # A command that is stopped while the pool closes a connection has nothing to tell of that.
    logging.getLogger(f"sqlalchemy.pool.impl.QueuePool.{_COMMAND}").setLevel(logging.CRITICAL)
    return create_engine(_url(database_url), pool_pre_ping=True, connect_args=_CONNECT, pool_logging_name=_COMMAND)


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
    """Return whether an error may be gone at another try: the database is away, restarting, full, or in conflict."""
    cause = cause_of(error)
    if isinstance(cause, psycopg.Error):
        if cause.sqlstate is None:
            return isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)
        return cause.sqlstate.startswith(_PASSING)
    return isinstance(cause, OSError | TimeoutError)


def unavailable(database_url: str, error: BaseException) -> Exception:
    """Return an error that names the database's place and the setting to check, and no password.

    InvalidInput for credentials and certificates that do not fit, Unavailable for anything else.
    """
    url = make_url(database_url)
    where = f"The database {url.database or ''} at {url.host or 'its socket'}:{url.port or 5432}"
    lines = str(getattr(error, "orig", error)).strip().splitlines() or [type(error).__name__]
    said = lines[0].rpartition(" failed: ")[2]
    for part, hint in _REFUSALS.items():
        if part in lines[0]:
            return InvalidInput(f"{where} can't be used: {said}. {hint}")
    return Unavailable(
        f"{where} can't be used: {lines[0]}. Check DATABASE_URL, or `pipeline status` for the local one."
    )


#: The setting to check, by a part of libpq's message.
_REFUSALS = {
    "password authentication failed": "Check user and password in DATABASE_URL, or the file PGPASSFILE.",
    "no password supplied": "Give a password in DATABASE_URL, or a file in PGPASSFILE.",
    "does not match host name": "The certificate is for another name; DATABASE_URL must use a name that is in it.",
    "certificate verify failed": "Check that sslrootcert in DATABASE_URL, or PGSSLROOTCERT, has the CA of the server's "
    "certificate, and that it has not expired.",
    "certificate has expired": "The certificate has to be renewed.",
    "root certificate file": "Name the CA's file in sslrootcert of DATABASE_URL, or PGSSLROOTCERT.",
    "server does not support SSL": "sslmode is set; turn TLS on in the server, or set sslmode=disable.",
    "no encryption": "The server wants TLS: set sslmode=verify-full and sslrootcert in DATABASE_URL.",
}


def _url(database_url: str) -> URL:
    """Return the URL. Raises InvalidInput if it can't be read, or asks for TLS without verifying the server's name.

    libpq's `require` encrypts, and talks to anybody. So TLS is off, or it is verified: `disable` or `verify-full`.
    Without a mode, but with a root certificate, it is `verify-full`.
    """
    url = _parsed(database_url)
    mode = url.query.get("sslmode") or os.environ.get("PGSSLMODE")
    if mode in _UNVERIFIED:
        raise InvalidInput(
            f"sslmode is {mode}, which does not verify the database server's name. Set sslmode=verify-full and "
            "sslrootcert=FILE in DATABASE_URL (sslrootcert=system for the system's CAs), or sslmode=disable."
        )
    if not mode and (url.query.get("sslrootcert") or os.environ.get("PGSSLROOTCERT")):
        url = url.update_query_dict({"sslmode": "verify-full"})
    return url


def _parsed(database_url: str) -> URL:
    try:
        return make_url(database_url)
    except (ArgumentError, ValueError):
        raise InvalidInput(
            "DATABASE_URL can't be read; it takes SQLAlchemy's form: postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME"
        ) from None
