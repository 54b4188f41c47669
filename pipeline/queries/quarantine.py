"""The quarantine: refused records are selected, read and settled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text

from pipeline.topics import TOUCHPOINTS

STATUSES = ("new", "replayed", "discarded")


class Place(NamedTuple):
    """The partition and offset of a refused record; as text, `PARTITION/OFFSET`."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}/{self.offset}"


class Entry(NamedTuple):
    """A refused record, without its bytes; `size` is their number, None for a null value."""

    place: Place
    reason: str
    detail: str
    status: str
    size: int | None
    appended_at: datetime
    rejected_at: datetime
    settled_at: datetime | None


class Contents(NamedTuple):
    """A refused record's bytes, as they came."""

    entry: Entry
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Count(NamedTuple):
    """The number of records refused for a reason, by status."""

    reason: str
    new: int
    replayed: int
    discarded: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Selects records; an empty field means any."""

    reasons: Sequence[str] = ()
    statuses: Sequence[str] = ()
    #: Refused at or after …
    since: datetime | None = None
    #: … and at or before.
    until: datetime | None = None
    places: Sequence[Place] = ()


_COLUMNS = """partition, "offset", reason, detail, status, octet_length(raw), appended_at, rejected_at, settled_at"""
_WHERE = """
    topic = :topic
    AND (cardinality(CAST(:reasons AS text[])) = 0 OR reason = ANY(:reasons))
    AND (cardinality(CAST(:statuses AS text[])) = 0 OR status = ANY(:statuses))
    AND (CAST(:since AS timestamptz) IS NULL OR rejected_at >= :since)
    AND (CAST(:until AS timestamptz) IS NULL OR rejected_at <= :until)
    AND (cardinality(CAST(:partitions AS integer[])) = 0 OR (partition, "offset") IN (
        SELECT * FROM unnest(CAST(:partitions AS integer[]), CAST(:offsets AS bigint[]))
    ))
"""
_ENTRIES = text(f"""
    SELECT {_COLUMNS} FROM quarantine WHERE {_WHERE}
    ORDER BY rejected_at DESC, partition, "offset" DESC LIMIT :limit
""")
_COUNTS = text(f"""
    SELECT reason, count(*) FILTER (WHERE status = 'new') AS new,
           count(*) FILTER (WHERE status = 'replayed') AS replayed,
           count(*) FILTER (WHERE status = 'discarded') AS discarded,
           min(rejected_at) AS first_at, max(rejected_at) AS last_at
    FROM quarantine WHERE {_WHERE} GROUP BY reason ORDER BY new DESC, count(*) DESC, reason
""")
_CONTENTS = text(f'SELECT {_COLUMNS}, key, raw, headers FROM quarantine WHERE {_WHERE} ORDER BY partition, "offset"')
# Another command that wants to settle the same records waits here, and then sees that they are settled.
_CLAIMED = text(f"""
    SELECT {_COLUMNS}, key, raw, headers FROM quarantine WHERE {_WHERE}
      AND (partition, "offset") > (:after_partition, :after_offset)
    ORDER BY partition, "offset" LIMIT :limit FOR UPDATE
""")
_DISCARD = text(f"UPDATE quarantine SET status = 'discarded', settled_at = now() WHERE {_WHERE}")
_REPLAYED = text("""
    UPDATE quarantine SET status = 'replayed', settled_at = now()
    WHERE topic = :topic AND (partition, "offset") IN (
        SELECT * FROM unnest(CAST(:partitions AS integer[]), CAST(:offsets AS bigint[]))
    )
""")


def entries(connection: Connection, selection: Selection, limit: int | None = None) -> list[Entry]:
    """Return the selected records, the latest refused first."""
    rows = connection.execute(_ENTRIES, {**_parameters(selection), "limit": limit})
    return [_entry(row) for row in rows]


def counts(connection: Connection, selection: Selection) -> list[Count]:
    """Return the selected records counted by reason."""
    return [Count(**row._mapping) for row in connection.execute(_COUNTS, _parameters(selection))]


def contents(connection: Connection, places: Sequence[Place]) -> list[Contents]:
    """Return the quarantined records of these places, with their bytes."""
    if not places:
        return []
    return [_contents(row) for row in connection.execute(_CONTENTS, _parameters(Selection(places=places)))]


def claimed(connection: Connection, selection: Selection, after: Place, limit: int) -> list[Contents]:
    """Return up to `limit` of the selected records beyond `after`, locked until the transaction ends."""
    rows = connection.execute(
        _CLAIMED,
        {**_parameters(selection), "after_partition": after.partition, "after_offset": after.offset, "limit": limit},
    )
    return [_contents(row) for row in rows]


def clock(connection: Connection) -> datetime:
    """Return the database's clock, which `rejected_at` is taken from."""
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment


def mark_replayed(connection: Connection, places: Iterable[Place]) -> int:
    """Mark records as replayed, as of the transaction's time; return how many there were."""
    return connection.execute(_REPLAYED, {"topic": TOUCHPOINTS, **_columns(places)}).rowcount


def discard(connection: Connection, selection: Selection) -> int:
    """Mark the selected records as discarded, as of the transaction's time; return how many there were."""
    return connection.execute(_DISCARD, _parameters(selection)).rowcount


def _parameters(selection: Selection) -> dict[str, object]:
    return {
        "topic": TOUCHPOINTS,
        "reasons": list(selection.reasons),
        "statuses": list(selection.statuses),
        "since": selection.since,
        "until": selection.until,
        **_columns(selection.places),
    }


def _columns(places: Iterable[Place]) -> dict[str, object]:
    partitions, offsets = zip(*places, strict=True) if (places := list(places)) else ((), ())
    return {"partitions": list(partitions), "offsets": list(offsets)}


def _entry(row: Sequence[object]) -> Entry:
    partition, offset, *rest = row
    return Entry(Place(partition, offset), *rest)  # type: ignore[arg-type]


def _contents(row: Sequence[object]) -> Contents:
    *entry, key, raw, headers = row
    named = [(name, bytes.fromhex(value)) for name, value in headers]  # type: ignore[attr-defined]
    return Contents(_entry(entry), key, raw, named)  # type: ignore[arg-type]
