"""Abandonment: where customers give up, and what they do next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, text

from pipeline import catalogue


class NextTouchpoint(NamedTuple):
    """What customers began next in the same journey, and how many did; None for nothing."""

    channel: str | None
    kind: str | None
    times: int


class AbandonmentPoint(NamedTuple):
    """A touchpoint at which customers give up; `wait_ms_mean` is their mean wait until then."""

    channel: str
    kind: str
    times: int
    wait_ms_mean: float | None
    #: The most frequent first.
    next: Sequence[NextTouchpoint]


# A contact may say twice that it was abandoned (call_queued, then call_abandoned); the last one counts. What the
# company began, such as an e-mail, is not what the customer did next.
_GIVEN_UP = text("""
    WITH step AS (
        SELECT journey_id, number, step->>'channel' AS channel, step->>'kind' AS kind, step->>'outcome' AS outcome,
               (step->>'wait_ms')::bigint AS wait_ms
        FROM journey CROSS JOIN LATERAL jsonb_array_elements(steps) WITH ORDINALITY AS each (step, number)
        WHERE abandoned > 0 AND merged_into IS NULL AND moved_to IS NULL
          AND (step->>'outcome' = 'abandoned' OR NOT step->>'kind' = ANY(:company))
    ), followed AS (
        SELECT *, lead(channel) OVER w AS next_channel, lead(kind) OVER w AS next_kind,
               lead(outcome) OVER w AS next_outcome
        FROM step WINDOW w AS (PARTITION BY journey_id ORDER BY number)
    )
    SELECT channel, kind, next_channel, next_kind, count(*) AS n, count(wait_ms) AS waits,
           coalesce(sum(wait_ms), 0)::bigint AS wait_ms
    FROM followed
    WHERE outcome = 'abandoned' AND NOT coalesce(next_outcome = 'abandoned' AND next_channel = channel, false)
    GROUP BY channel, kind, next_channel, next_kind
    ORDER BY n DESC, channel, kind, next_channel, next_kind
""")


def abandonment_points(connection: Connection) -> list[AbandonmentPoint]:
    """Return all touchpoints at which customers give up, the most frequent first; reads all such journeys."""
    company = [kind for kind, known in catalogue.load().kinds.items() if known.initiated_by == "company"]
    by_point: dict[tuple[str, str], list[tuple[NextTouchpoint, int, int]]] = {}
    for row in connection.execute(_GIVEN_UP, {"company": company}):
        following = NextTouchpoint(row.next_channel, row.next_kind, row.n)
        by_point.setdefault((row.channel, row.kind), []).append((following, row.waits, row.wait_ms))
    made = [_summed(channel, kind, rows) for (channel, kind), rows in by_point.items()]
    return sorted(made, key=lambda one: (-one.times, one.channel, one.kind))


def _summed(channel: str, kind: str, rows: Sequence[tuple[NextTouchpoint, int, int]]) -> AbandonmentPoint:
    waits = sum(waits for _, waits, _ in rows)
    waited = sum(wait_ms for _, _, wait_ms in rows)
    following = [following for following, _, _ in rows]
    return AbandonmentPoint(
        channel, kind, sum(one.times for one in following), waited / waits if waits else None, following
    )
