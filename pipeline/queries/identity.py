"""Who a key is: its holders over time, what they rest on, and the keys that a customer is known by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text

_SEGMENTS = text("""
    SELECT since, until, owner, why, trust, source, event_id FROM identity_owner WHERE key = :key ORDER BY since
""")
_STRETCHES = text("""
    SELECT target, trust, started_at, ended_at, source, event_id FROM identity_stretch
    WHERE key = :key ORDER BY started_at, target
""")
_CORRECTIONS = text("""
    SELECT DISTINCT kind, at, source, event_id, subject, other FROM identity_correction
    WHERE key = :key OR (key = '' AND :key IN (SELECT jsonb_array_elements_text(named::jsonb)))
       OR (key = '' AND other = :key)
    ORDER BY at, source, event_id
""")
_WAITING = text("SELECT EXISTS (SELECT FROM identity_restatement WHERE key = :key)")
# A key's links go upwards only; so a customer's keys are found by following them downwards.
_LINKS = text("""
    WITH RECURSIVE linked AS (
        SELECT key, owner, since, until, why, trust, source, event_id, 1 AS depth FROM identity_owner
        WHERE owner = :key AND key <> owner
        UNION
        SELECT o.key, o.owner, o.since, o.until, o.why, o.trust, o.source, o.event_id, l.depth + 1
        FROM linked AS l JOIN identity_owner AS o ON o.owner = l.key AND o.key <> o.owner
        WHERE l.depth < 8
    )
    SELECT key, owner, min(since) AS since, max(until) AS until,
           (array_agg(why ORDER BY why = 'named' DESC, since))[1] AS why,
           (array_agg(trust ORDER BY why = 'named' DESC, since))[1] AS trust,
           (array_agg(source ORDER BY why = 'named' DESC, since))[1] AS source,
           (array_agg(event_id ORDER BY why = 'named' DESC, since))[1] AS event_id
    FROM linked GROUP BY key, owner ORDER BY key, since LIMIT :most
""")
_SHARED = text("""
    SELECT o.key, o.why, o.since, o.until,
           (SELECT count(DISTINCT target) FROM identity_stretch AS s
            WHERE s.key = o.key AND s.trust <> 'retracted') AS targets
    FROM identity_owner AS o WHERE o.why IN ('shared', 'overfull') AND o.since <= :at AND o.until >= :at
    ORDER BY targets DESC, o.key LIMIT :most
""")
_HOLDER = text("SELECT owner FROM identity_owner WHERE key = :key AND since <= :at AND until >= :at")


class SegmentView(NamedTuple):
    """Who holds a key from when until when (inclusive), why, and by which event."""

    since: datetime
    until: datetime
    owner: str
    why: str
    trust: str
    source: str
    event_id: str


class StretchView(NamedTuple):
    """Namings of a key with a target that follow each other closely, and the first one's event."""

    target: str
    trust: str
    started_at: datetime
    ended_at: datetime
    source: str
    event_id: str


class CorrectionView(NamedTuple):
    """A correction that names the key."""

    kind: str
    at: datetime
    source: str
    event_id: str
    subject: str
    other: str


class IdentityView(NamedTuple):
    """All that is known of whose a key is. `owner` is the last holder upwards at `as_of`."""

    key: str
    as_of: datetime
    owner: str
    segments: Sequence[SegmentView]
    stretches: Sequence[StretchView]
    corrections: Sequence[CorrectionView]
    is_being_restated: bool


class LinkView(NamedTuple):
    """A key that belongs to another, from when until when, and the evidence."""

    key: str
    owner: str
    since: datetime
    until: datetime
    why: str
    trust: str
    source: str
    event_id: str


class SharedView(NamedTuple):
    """A key that nobody holds, since too many use it."""

    key: str
    why: str
    since: datetime
    until: datetime
    targets: int


def owner(connection: Connection, key: str, at: datetime) -> str:
    """Return the owner of a key at a moment: the last holder upwards, or the key itself."""
    seen = {key}
    while (holder := connection.execute(_HOLDER, {"key": key, "at": at}).scalar_one_or_none()) is not None:
        if holder in seen:
            break
        seen.add(holder)
        key = holder
    return key


def identity(connection: Connection, key: str, at: datetime) -> IdentityView:
    """Return what is known of whose a key is."""
    wanted = {"key": key}
    return IdentityView(
        key,
        at,
        owner(connection, key, at),
        [SegmentView(*row) for row in connection.execute(_SEGMENTS, wanted)],
        [StretchView(*row) for row in connection.execute(_STRETCHES, wanted)],
        [CorrectionView(*row) for row in connection.execute(_CORRECTIONS, wanted)],
        bool(connection.execute(_WAITING, wanted).scalar_one()),
    )


def links(connection: Connection, key: str, most: int = 1_000) -> list[LinkView]:
    """Return the keys that belong to a key, directly or through others."""
    return [LinkView(*row) for row in connection.execute(_LINKS, {"key": key, "most": most})]


def shared(connection: Connection, at: datetime, most: int) -> list[SharedView]:
    """Return the keys that are shared at a moment, those of most people first."""
    return [SharedView(*row) for row in connection.execute(_SHARED, {"at": at, "most": most})]
