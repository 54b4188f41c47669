"""Journey maps: how many journeys went from touchpoint to touchpoint, station by station, and how long that took."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from pipeline.insight.ways import EARLIER, END, LATER, START, Edge
from pipeline.queries.steps import ALL_STEPS, BEGAN, ORDER, TOUCHPOINT, Wanted, check_known

_FETCHED = 20_000
# The stations of the row `journey`: each with its `place` from 1, when its first and last step was, and what comes
# next.
_STATIONS = f"""
    SELECT name, number AS place, max(number) OVER () AS places, first_at, last_at,
           lead(name) OVER stations AS next_name, lead(first_at) OVER stations AS next_at,
           min(number) FILTER (WHERE {{is_after}}) OVER () AS after_place, {{is_before}} AS is_before
    FROM (
        SELECT name, channel, kind, number, min(at) AS first_at, max(at) AS last_at
        FROM (
            SELECT *, count(*) FILTER (WHERE is_new) OVER (ORDER BY o) AS number
            FROM (
                SELECT *, name IS DISTINCT FROM lag(name) OVER (ORDER BY o) AS is_new
                FROM (
                    SELECT {TOUCHPOINT} AS name, step.channel, step.kind, step.at,
                           row_number() OVER (ORDER BY {ORDER}) AS o
                    FROM {ALL_STEPS}
                ) AS placed
            ) AS compared
        ) AS numbered
        GROUP BY number, name, channel, kind
    ) AS step
    WINDOW stations AS (ORDER BY number)
"""
# Journeys with the places between which they are shown, and the place of the station with the number 0.
_SHOWN = f"""
    SELECT journey.journey_id, journey.customer, journey.started_at, station.*
    FROM journey CROSS JOIN LATERAL (
        SELECT *, {{first}} AS first_place, {{last}} AS last_place, {{anchor}} AS anchor_place
        FROM (
            SELECT *, min(place) FILTER (WHERE is_before AND place > coalesce(after_place, 0)) OVER () AS before_place
            FROM ({_STATIONS}) AS marked
        ) AS found
    ) AS station
    WHERE {BEGAN} AND place BETWEEN first_place AND last_place
"""
# The edges of a station that is shown: the one that goes on from it, and of the first one also the one that leads in.
_EDGES = f"""
    SELECT place - anchor_place AS station, name AS source,
           CASE WHEN place < last_place THEN next_name WHEN place = places THEN '{END}' ELSE '{LATER}' END AS target,
           CASE WHEN place < last_place THEN (extract(epoch FROM next_at - last_at) * 1000)::bigint END AS took
    UNION ALL
    SELECT place - anchor_place - 1, CASE place WHEN 1 THEN '{START}' ELSE '{EARLIER}' END, name, NULL
    WHERE place = first_place
"""


class Behind(NamedTuple):
    """A journey that is behind a number of a map."""

    journey_id: str
    customer: str
    started_at: datetime


class JourneyMap:
    """Which ways journeys took that began from `since` to `until` (exclusive), over up to `stations` stations.

    Without an anchor, stations count from 1, the journey's first touchpoint. With `after`, from 0, the first one of
    that kind; with `before`, up to 0, the first one of that kind; with both, from the first of `after` to the next of
    `before`. Journeys without the anchors don't count. Raises InvalidInput for an anchor that no event has been of.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        after: Wanted | None = None,
        before: Wanted | None = None,
        stations: int,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> None:
        check_known(connection, [each for each in (after, before) if each is not None])
        self._connection = connection
        self._parameters: dict[str, Any] = {"since": since, "until": until, "stations": stations}
        for name, each in (("after", after), ("before", before)):
            self._parameters |= {} if each is None else each.parameters(name)
        self._shown = _SHOWN.format(
            is_after="false" if after is None else after.matches("after"),
            is_before="false" if before is None else before.matches("before"),
            **_bounds(after is not None, before is not None),
        )

    def edges(self) -> list[Edge]:
        """Return all edges; what goes into a touchpoint at a station goes on from there, or ends there."""
        rows = self._connection.execute(
            text(f"""
                SELECT station, source, target, count(*) AS journeys,
                       percentile_disc(0.5) WITHIN GROUP (ORDER BY took) AS median_ms
                FROM ({self._shown}) AS shown CROSS JOIN LATERAL ({_EDGES}) AS edge
                GROUP BY station, source, target ORDER BY station, journeys DESC, source, target
            """),
            self._parameters,
        )
        return [Edge(*row) for row in rows]

    def behind(self, station: int, source: str, target: str | None) -> Iterator[Behind]:
        """Yield the journeys that are at a touchpoint at a station, and, with `target`, went there next.

        `target` is a touchpoint, or where ways end.
        """
        rows = self._connection.execute(
            text(f"""
                SELECT journey_id::text AS journey_id, customer, started_at
                FROM ({self._shown}) AS shown CROSS JOIN LATERAL ({_EDGES}) AS edge
                WHERE station = :station AND source = :source
                  AND (CAST(:target AS text) IS NULL OR target = :target)
            """),
            {**self._parameters, "station": station, "source": source, "target": target},
            execution_options={"yield_per": _FETCHED},
        )
        yield from [Behind(*row) for row in rows]


def _bounds(has_after: bool, has_before: bool) -> dict[str, str]:
    """Return the first and last place that are shown, and the anchor's; null where a journey lacks an anchor."""
    if has_after:
        last = "after_place + CAST(:stations AS bigint)"
        end = f"least(before_place, {last})" if has_before else last
        # least passes over what is null
        first = "CASE WHEN before_place IS NOT NULL THEN after_place END" if has_before else "after_place"
        return {"first": first, "last": f"least(places, {end})", "anchor": "after_place"}
    if has_before:
        first = "greatest(1, before_place - CAST(:stations AS bigint))"
        return {"first": f"CASE WHEN before_place IS NOT NULL THEN {first} END", "last": "before_place",
                "anchor": "before_place"}  # fmt: skip
    return {"first": "1", "last": "least(places, CAST(:stations AS bigint))", "anchor": "0"}
