"""Coverage: which touchpoints customers are asked about, and how many answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text

from pipeline import catalogue
from pipeline.insight.coverage import Coverage, Covered, Needed, Seen, needed
from pipeline.ledger.moments import ms
from pipeline.queries.contacts import begun_by_customer, named_journeys
from pipeline.queries.steps import Wanted, check_known
from pipeline.scores.satisfaction.contacts import Usual

_JUDGED = text("SELECT DISTINCT channel || '/' || kind FROM feedback")
_SATISFIED = text("""
    SELECT channel || '/' || kind AS touchpoint, sum(satisfied)::bigint AS satisfied,
           sum(answers - neutral)::bigint AS judged
    FROM touchpoint_count GROUP BY channel, kind
""")


class TouchpointCoverage(NamedTuple):
    """A touchpoint, what became of its contacts, and how many answers are needed."""

    touchpoint: str
    covered: Covered
    needed: Needed


class Asked(NamedTuple):
    """A contact of a touchpoint: its journey, and whether the customer was asked, reached and answered."""

    journey_id: str
    customer: str
    is_asked: bool
    is_reached: bool
    is_answered: bool


class CoverageFound(NamedTuple):
    """Touchpoints: first those that nobody was asked about, then by the share that was; and askings about none."""

    touchpoints: Sequence[TouchpointCoverage]
    unplaced: int


def coverage(
    connection: Connection,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    progress: Callable[[int], None] = lambda _done: None,
) -> CoverageFound:
    """Return the coverage of contacts in journeys that began from `since` to `until` (exclusive).

    What share is satisfied, which the number of answers needed depends on, is of all answers there are.
    """
    counting = _counting(connection)
    for _ in _seen(connection, counting, since, until, progress):
        pass
    satisfied = {row.touchpoint: (row.satisfied, row.judged) for row in connection.execute(_SATISFIED)}
    made = [
        TouchpointCoverage(name, covered, needed(covered, *satisfied.get(name, (0, 0))))
        for name, covered in counting.touchpoints.items()
    ]
    made.sort(key=lambda each: (each.covered.asked / each.covered.contacts, -each.covered.contacts, each.touchpoint))
    return CoverageFound(made, counting.unplaced)


def contacts_of(
    connection: Connection, wanted: Wanted, *, since: datetime | None = None, until: datetime | None = None
) -> Iterator[Asked]:
    """Yield the contacts that `coverage` counts of a touchpoint.

    Raises InvalidInput for one that no event has been of.
    """
    check_known(connection, [wanted])
    for journey_id, customer, seen in _seen(connection, _counting(connection), since, until, lambda _done: None):
        yield from [Asked(journey_id, customer, *each[1:]) for each in seen if wanted.is_of(each.touchpoint)]


def _counting(connection: Connection) -> Coverage:
    judged = frozenset(connection.execute(_JUDGED).scalars())
    answering = {kind for kind, known in catalogue.load().kinds.items() if known.role == "answer"}
    return Coverage(Usual({}, begun_by_customer), judged, answering)


def _seen(
    connection: Connection,
    counting: Coverage,
    since: datetime | None,
    until: datetime | None,
    progress: Callable[[int], None],
) -> Iterator[tuple[str, str, Sequence[Seen]]]:
    begins = None if since is None else ms(since)
    for journey_id, customer, steps in named_journeys(connection, since=since, until=until, progress=progress):
        if steps and (begins is None or steps[0].at >= begins):
            yield journey_id, customer, counting.add(steps)
