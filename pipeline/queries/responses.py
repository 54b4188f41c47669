"""What customers answered, raw and weighted by how likely they were to answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text

from pipeline.queries.contacts import begun_by_customer, journeys
from pipeline.queries.feedback import GROUPS, ONCE
from pipeline.scores.satisfaction.contacts import Usual, contacts
from pipeline.scores.satisfaction.figures import Interval
from pipeline.scores.satisfaction.weighting import Response, Responses, WeightedTally

_FETCHED = 20_000


class WeightedAnswers(NamedTuple):
    """The standard figure of answers on one instrument, as they are (`raw`) and weighted, each with its 95 % interval.

    `effective` is how many answers of the same weight would be as certain as the weighted ones.
    """

    instrument: str
    group: Sequence[str]
    answers: int
    raw: Interval | None
    weighted: Interval | None
    effective: float


class Weighted(NamedTuple):
    """Figures, the most answers first, and the responses by touchpoint (CHANNEL/KIND) and outcome behind them."""

    figures: Sequence[WeightedAnswers]
    responses: Sequence[tuple[str, str, Response]]


def weighted(
    connection: Connection,
    *,
    by: str = "touchpoint",
    instrument: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    progress: Callable[[int], None] = lambda _done: None,
) -> Weighted:
    """Return the figures of answers from `since` (inclusive) to `until` (exclusive), raw and weighted.

    Responses are those of contacts in journeys of that time. Memory: about 200 bytes an answer.
    """
    period = {"since": since, "until": until, "instrument": instrument}
    columns = GROUPS[by]
    responses = _responses(connection, since, until, progress)
    tallies: dict[tuple[str, ...], tuple[WeightedTally, WeightedTally, list[int]]] = {}
    rows = connection.execute(
        text(f"SELECT instrument, score, stage, channel, kind, touchpoint FROM ({ONCE.format(begins='NULL')}) AS once"),
        period,
        execution_options={"yield_per": _FETCHED},
    )
    for row in rows:
        group = (row.instrument, *[getattr(row, column) for column in columns])
        if group not in tallies:
            tallies[group] = (WeightedTally(row.instrument), WeightedTally(row.instrument), [0])
        raw, by_propensity, count = tallies[group]
        raw.add(row.score, 1.0)
        by_propensity.add(row.score, responses.weight(bytes(row.touchpoint), f"{row.channel}/{row.kind}"))
        count[0] += 1
    found = [
        WeightedAnswers(group[0], group[1:], count, raw.figure(), by_propensity.figure(), by_propensity.effective)
        for group, (raw, by_propensity, [count]) in tallies.items()
    ]
    found.sort(key=lambda each: (-each.answers, each.instrument, each.group))
    return Weighted(found, [(*cell, response) for cell, response in sorted(responses.cells.items())])


def _responses(
    connection: Connection, since: datetime | None, until: datetime | None, progress: Callable[[int], None]
) -> Responses:
    """Count contacts of touchpoints that answers are about."""
    judged = connection.execute(text("SELECT DISTINCT channel || '/' || kind FROM feedback")).scalars().all()
    usual, responses = Usual({}, begun_by_customer), Responses()
    for _, steps in journeys(connection, since=since, until=until, progress=progress):
        responses.add(contacts(steps, usual, frozenset(judged)))
    return responses
