"""The id of the tables, which tells records of the exchange topic that belong to them from those of earlier tables."""

from __future__ import annotations

from sqlalchemy import Connection, text


def read_ledger_id(connection: Connection) -> str:
    """Return the id of the tables."""
    return str(connection.execute(text("SELECT id FROM ledger")).scalar_one())


def renew_ledger_id(connection: Connection) -> None:
    """Give the tables a new id, as they are made anew."""
    connection.execute(text("UPDATE ledger SET id = gen_random_uuid()"))
