"""What a correction that is not made yet would change: touchpoints, journeys, customers."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, text

from pipeline.flow.identity_rows import ASIDE
from pipeline.flow.partitioner import Partitioner
from pipeline.identity.correction import Correction
from pipeline.journey.policy import Policy
from pipeline.journey.row import JOURNEY
from pipeline.journey.step import Step
from pipeline.ledger.customers import IS_THERE
from pipeline.ledger.moments import sql_moment, sql_ms
from pipeline.ledger.reload import load_row, select_list
from pipeline.queries.holders import Holders, changed_spans
from pipeline.topics import TOUCHPOINTS

_SINCE, _UNTIL = sql_moment("CAST(:since AS bigint)"), sql_moment("CAST(:until AS bigint)")
_JOURNEYS = text(f"""
    SELECT {select_list(JOURNEY)} FROM journey
    WHERE customer = :key AND {IS_THERE} AND started_at <= {_UNTIL} AND ended_at >= {_SINCE}
""")
_ASIDE = text(f"""
    SELECT {select_list(ASIDE)} FROM identity_touchpoint WHERE key = :key AND at BETWEEN {_SINCE} AND {_UNTIL}
""")
_SPANS = text(f"""
    SELECT journey_id::text AS id, {sql_ms("started_at")} AS started_at, {sql_ms("covers_until")} AS covers_until
    FROM journey WHERE customer = :key AND {IS_THERE} ORDER BY started_at
""")
_WATERMARKS = text(f"""
    SELECT partition, coalesce({sql_ms("watermark")}, 0) AS watermark FROM position WHERE topic = :topic
""")


class Effect(NamedTuple):
    """How many touchpoints would get another owner, how many journeys would change, and whose.

    Journeys change that lose a touchpoint, and those that a touchpoint joins; new ones are not counted. An event that
    has come by two keys counts as two touchpoints.
    """

    touchpoints: int
    journeys: int
    customers: int


class JourneySpan(NamedTuple):
    """A journey, and the time that it covers (epoch milliseconds, both ends inclusive)."""

    id: str
    started_at: int
    covers_until: int


class _Moved(NamedTuple):
    """A touchpoint that gets another owner, and the time that it covers."""

    at: int
    covers_until: int
    before: str
    after: str


def effect(connection: Connection, correction: Correction, policy: Policy) -> Effect:
    """Return what a correction would change, given what the tables hold. Touchpoints that are final do not change."""
    holders = Holders(connection, correction, policy.identity)
    moved = list(_moved(connection, holders, policy))
    journeys: set[str] = set()
    for owner in {owner for each in moved for owner in (each.before, each.after)}:
        spans = [JourneySpan(*row) for row in connection.execute(_SPANS, {"key": owner})]
        for each in moved:
            if each.before == owner:
                journeys.update(touched(spans, each.at, each.at))
            elif each.after == owner:
                journeys.update(touched(spans, each.at, each.covers_until))
    return Effect(len(moved), len(journeys), len({owner for each in moved for owner in (each.before, each.after)}))


def touched(journeys: Sequence[JourneySpan], since: int, until: int) -> list[str]:
    """Return which of a customer's journeys, in order, cover a part of a span of time."""
    first = bisect_left(journeys, since, key=lambda journey: journey.covers_until)
    end = bisect_right(journeys, until, key=lambda journey: journey.started_at)
    return [journey.id for journey in journeys[first:end]]


def _moved(connection: Connection, holders: Holders, policy: Policy) -> Iterator[_Moved]:
    """Yield each touchpoint that gets another owner."""
    watermarks = {row.partition: row.watermark for row in connection.execute(_WATERMARKS, {"topic": TOUCHPOINTS})}
    partitioner = Partitioner(len(watermarks) or 1)
    seen: set[tuple[str, int, bytes]] = set()
    for key, segments in holders.concerned.items():
        watermark = watermarks.get(partitioner.partition(key.encode()), 0)
        earliest = watermark - policy.identity.final_after_ms
        for since, until in changed_spans(segments):
            for step in _steps(connection, key, max(since, earliest), until):
                own = step.via or key
                touchpoint = (own, step.at, step.key)
                before, after = holders.owner(own, step.at, after=False), holders.owner(own, step.at, after=True)
                if before != after and touchpoint not in seen:
                    seen.add(touchpoint)
                    gap = policy.gap(step.type.channel, step.type.kind)
                    yield _Moved(step.at, step.at + gap, before, after)


def _steps(connection: Connection, key: str, since: int, until: int) -> Iterator[Step]:
    """Yield the touchpoints that a key has, or has given to its holder, of a span of time."""
    wanted = {"key": key, "since": since, "until": until}
    for row in connection.execute(_JOURNEYS, wanted):
        yield from [step for step in load_row(JOURNEY, row).steps if since <= step.at <= until]
    for row in connection.execute(_ASIDE, wanted):
        yield load_row(ASIDE, row).step
