"""Every change of a position, noted by the database itself, with the role that made it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, text


class Change(NamedTuple):
    """One state of a partition's row in the table `position`, in the order in which they were made.

    `by` is the role of the session that made it, each worker having its own; `at` is in epoch seconds.
    """

    partition: int
    epoch: int
    owner: str
    commits: int
    next_offset: int
    accounted: int
    by: str
    at: float


#: A commit and a taking lock the row, so that of one partition the numbers are in the order of what happened.
INSTALL = text("""
    CREATE TABLE position_history (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, partition integer, epoch bigint, owner text, commits bigint,
        next_offset bigint, accounted bigint, made_by text, made_at timestamptz
    );
    CREATE FUNCTION note_position() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO position_history (partition, epoch, owner, commits, next_offset, accounted, made_by, made_at)
        VALUES (NEW.partition, NEW.epoch, NEW.owner, NEW.commits, NEW.next_offset,
                NEW.processed + NEW.duplicates + NEW.quarantined + NEW.forwarded, session_user, clock_timestamp());
        RETURN NULL;
    END $$;
    CREATE TRIGGER note_position AFTER INSERT OR UPDATE ON position FOR EACH ROW EXECUTE FUNCTION note_position()
""")
_READ = text("""
    SELECT partition, epoch, owner, commits, next_offset, accounted, made_by,
           extract(epoch FROM made_at)::float8 AS at, id
    FROM position_history WHERE id > :after ORDER BY id
""")


def read(connection: Connection, after: int = 0) -> dict[int, Change]:
    """Number → change, of those after number `after` that are committed."""
    return {row.id: Change(*row[:8]) for row in connection.execute(_READ, {"after": after})}


def owners(changes: Iterable[Change]) -> dict[int, tuple[str, int]]:
    """Partition → its owner and epoch after these changes."""
    return {change.partition: (change.owner, change.epoch) for change in changes}
