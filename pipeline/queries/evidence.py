"""Why a touchpoint that came by a key is a customer's: the links from the key upwards, and what each rests on."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text

# The kind of the event stands in the journeys of whoever has its touchpoint, at its time.
_LINK = text("""
    SELECT o.owner, o.why, o.trust, o.source, o.event_id, coalesce(c.at, n.at) AS at,
           CASE WHEN c.at IS NULL THEN (
               SELECT min(step ->> 'kind')
               FROM journey AS j CROSS JOIN LATERAL jsonb_array_elements(j.steps) AS step
               WHERE j.customer = :customer AND j.merged_into IS NULL AND j.moved_to IS NULL
                 AND n.at BETWEEN j.started_at AND j.ended_at
                 AND (step ->> 'at')::timestamptz = n.at AND coalesce(step ->> 'via', j.customer) = n.target
               HAVING count(DISTINCT step ->> 'kind') = 1
           ) ELSE c.kind END AS kind
    FROM identity_owner AS o
    LEFT JOIN LATERAL (
        SELECT at, target FROM identity_naming
        WHERE key = o.key AND source = o.source AND event_id = o.event_id ORDER BY at LIMIT 1
    ) AS n ON true
    LEFT JOIN LATERAL (
        SELECT at, kind FROM identity_correction
        WHERE o.why = 'merged' AND key = '' AND source = o.source AND event_id = o.event_id AND other = o.key
        ORDER BY at DESC LIMIT 1
    ) AS c ON true
    WHERE o.key = :key AND o.since <= :at AND o.until >= :at AND o.owner <> o.key
""")
#: There are no more ranks of keys, and merges of a customer's number, than that.
_MOST_LINKS = 16


class Evidence(NamedTuple):
    """A link from a key to its holder at a moment: why it holds, and the event which says so.

    `at` and `kind` are those of the event; None where the tables do not have them.
    """

    key: str
    owner: str
    why: str
    trust: str
    source: str
    event_id: str
    at: datetime | None
    kind: str | None


def evidence(connection: Connection, key: str, at: datetime, customer: str) -> list[Evidence]:
    """Return the links by which a key was the customer's at a moment, from the key upwards; none for their own key."""
    found: list[Evidence] = []
    while key != customer and len(found) < _MOST_LINKS:
        wanted = {"key": key, "at": at, "customer": customer}
        row = connection.execute(_LINK, wanted).one_or_none()
        if row is None:
            break
        found.append(Evidence(key, **row._mapping))
        key = row.owner
    return found
