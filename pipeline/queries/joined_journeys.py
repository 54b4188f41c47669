"""A journey whose channels knew the customer by different keys, and how it is known that it is one journey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, text

from pipeline.queries.customers import JourneyView
from pipeline.queries.evidence import Evidence, evidence

# A key of which two channels have touchpoints counts once for each channel, but is one key.
_JOINED = text("""
    WITH came AS (
        SELECT j.journey_id, j.customer, j.touchpoints, j.abandoned,
               count(DISTINCT step ->> 'channel') AS channels,
               count(DISTINCT coalesce(step ->> 'via', j.customer)) AS keys,
               count(DISTINCT (step ->> 'channel', coalesce(step ->> 'via', j.customer))) AS ways
        FROM journey AS j CROSS JOIN LATERAL jsonb_array_elements(j.steps) AS step
        WHERE j.merged_into IS NULL AND j.moved_to IS NULL AND j.touchpoints <= :most AND j.steps_omitted = 0
          AND j.channels - (SELECT min(name) FROM jsonb_object_keys(j.channels) AS name) <> '{}'
          AND starts_with(j.customer, :prefix)
        GROUP BY j.journey_id
    )
    SELECT j.customer, j.journey_id::text AS journey_id, j.status, j.revision, j.started_at, j.ended_at, j.touchpoints,
           j.channels, j.outcome, j.failures, j.abandoned, j.steps, j.steps_omitted
    FROM (
        SELECT journey_id FROM came WHERE keys = ways
        ORDER BY channels DESC, abandoned > 0 DESC, keys DESC, touchpoints, journey_id LIMIT :candidates
    ) AS found JOIN journey AS j USING (journey_id)
    WHERE (SELECT count(*) FROM jsonb_object_keys(j.channels)) = (SELECT max(channels) FROM came WHERE keys = ways)
""")
#: Number of journeys of which the one is taken that is known in the most ways.
_CANDIDATES = 12


class JoinedStep(NamedTuple):
    """A step of a journey as its column holds it, the key by which it came, and why that is the customer's."""

    step: Mapping[str, Any]
    key: str
    evidence: Sequence[Evidence]


class JoinedJourney(NamedTuple):
    """A customer's journey in which no two channels used the same key."""

    customer: str
    journey: JourneyView
    steps: Sequence[JoinedStep]


def joined_journey(connection: Connection, prefix: str, most: int) -> JoinedJourney | None:
    """Return a journey of up to `most` steps in which no two touchpoints of different channels came by the same key.

    Its customer's key begins with `prefix`. It has as many channels as any such journey, and of some of these the most
    ways in which keys are held. None if there is none. Reads all journeys of these customers.
    """
    found = connection.execute(_JOINED, {"prefix": prefix, "most": most, "candidates": _CANDIDATES})
    return max([_with_evidence(connection, row) for row in found], key=_ways, default=None)


def _with_evidence(connection: Connection, row: Row[Any]) -> JoinedJourney:
    columns = dict(row._mapping)
    customer = columns.pop("customer")
    journey = JourneyView(**columns)
    return JoinedJourney(customer, journey, [_joined(connection, customer, step) for step in journey.steps])


def _ways(joined: JoinedJourney) -> tuple[int, int, str]:
    ways = {link.why for step in joined.steps for link in step.evidence}
    return len(ways), -len(joined.steps), joined.journey.journey_id


def _joined(connection: Connection, customer: str, step: Mapping[str, Any]) -> JoinedStep:
    key = step.get("via") or customer
    return JoinedStep(step, key, evidence(connection, key, datetime.fromisoformat(step["at"]), customer))
