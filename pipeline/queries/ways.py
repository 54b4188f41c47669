"""The ways of journeys: their touchpoints in order, where the same one several times in a row counts as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from pipeline.queries.steps import ALL_STEPS, BEGAN, ORDER, TOUCHPOINT, Wanted, check_known

#: Number of ways that are fetched at once.
_FETCHED = 20_000
#: What ways go through → a step's part of it.
GROUPS = {"touchpoint": TOUCHPOINT, "channel": "step.channel"}
#: The steps of the row `journey` as ways go through them: `name`, `o` from 1, whether they are a {goal}, and whether
#: they are another station than the one before.
_PLACED = f"""
    SELECT *, name IS DISTINCT FROM lag(name) OVER (ORDER BY o) AS is_new, min(o) FILTER (WHERE is_goal) OVER () AS goal
    FROM (
        SELECT {{name}} AS name, row_number() OVER (ORDER BY {ORDER}) AS o, {{goal}} AS is_goal FROM {ALL_STEPS}
    ) AS numbered
"""
_CONVERTING = f"""
    FROM journey CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(name ORDER BY o) FILTER (WHERE is_new AND o < coalesce(goal, o + 1)), '{{{{}}}}')
                   AS stations,
               coalesce(bool_or(is_goal), false) AS is_converted
        FROM ({_PLACED}) AS placed
    ) AS way
    WHERE {BEGAN}
"""
_STATIONS = """
    SELECT name FROM (SELECT {name} AS name, events FROM touchpoint_count) AS counted
    GROUP BY name ORDER BY sum(events) DESC, name LIMIT :most
"""
_NAMES = {"touchpoint": "channel || '/' || kind", "channel": "channel"}


class ConvertingWay(NamedTuple):
    """A way up to the first conversion, or to its end without one, and how many journeys took it."""

    stations: Sequence[str]
    is_converted: bool
    journeys: int


def stations(connection: Connection, most: int, *, by: str = "touchpoint") -> list[str]:
    """Return what ways go through, the most frequent first; `by` is of `GROUPS`."""
    rows = connection.execute(text(_STATIONS.format(name=_NAMES[by])), {"most": most})
    return [row.name for row in rows]


def converting_ways(
    connection: Connection,
    goal: Wanted,
    *,
    by: str = "touchpoint",
    since: datetime | None = None,
    until: datetime | None = None,
    progress: Callable[[int], None] = lambda _done: None,
) -> Iterator[ConvertingWay]:
    """Yield the distinct ways of journeys that began from `since` to `until` (exclusive).

    `goal` is a conversion unless it failed or was given up; `by` is of `GROUPS`. Raises InvalidInput for a goal that no
    event has been of.
    """
    what = "SELECT way.stations, way.is_converted, count(*) AS journeys"
    # Ordered, so that a seed gives the same samples.
    grouping = "GROUP BY way.stations, way.is_converted ORDER BY journeys DESC, way.stations, way.is_converted"
    read = 0
    for row in _converting(connection, goal, by, since, until, what, grouping):
        yield ConvertingWay(*row)
        read += row.journeys
        progress(read)


def journeys_of_ways(
    connection: Connection,
    goal: Wanted,
    *,
    by: str = "touchpoint",
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[tuple[str, str, bool, str]]:
    """Yield the id, the customer, whether it converted, and the way of each journey that `converting_ways` counts."""
    what = "SELECT journey.journey_id::text AS journey_id, customer, way.is_converted, way.stations"
    for row in _converting(connection, goal, by, since, until, what, ""):
        yield row.journey_id, row.customer, row.is_converted, " > ".join(row.stations)


def _converting(
    connection: Connection,
    goal: Wanted,
    by: str,
    since: datetime | None,
    until: datetime | None,
    what: str,
    grouping: str,
) -> Iterator[Any]:
    check_known(connection, [goal])
    reached = f"({goal.matches('goal')} AND step.outcome NOT IN ('failed', 'abandoned'))"
    yield from connection.execute(
        text(f"{what} {_CONVERTING.format(name=GROUPS[by], goal=reached)} {grouping}"),
        {"since": since, "until": until, **goal.parameters("goal")},
        execution_options={"yield_per": _FETCHED},
    )
