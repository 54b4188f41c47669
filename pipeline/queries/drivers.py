"""What may drive satisfaction and leaving: figures of answered journeys and of customers, computed in Postgres."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from pipeline.ledger.customers import IS_THERE
from pipeline.queries.steps import ALL_STEPS, BEGAN, BEGUN_BY_CUSTOMER, ORDER, TOUCHPOINT, Meanings

#: Number of rows that are fetched at once.
_FETCHED = 20_000
#: What is counted of a journey's steps, or of a customer's, by name; see `_STEPS_OF_A_JOURNEY`.
_COUNTED: Mapping[str, str] = {
    "wait": "ln(1 + {sum}(wait_ms) / 60000.0)",
    "failures": "ln(1 + {sum}(failed))",
    "given up": "ln(1 + {sum}(given_up))",
    "help contacts": "ln(1 + {sum}(help))",
    "complaints": "ln(1 + {sum}(complaints))",
    "channel switches": "ln(1 + {sum}(switches))",
    "lateness": "ln(1 + {sum}(late_ms) / 3600000.0)",
}
#: Drivers of the answer that ends a journey, or a part of it: of its steps up to the answer.
SATISFACTION: Mapping[str, str] = {
    **{name: formula.format(sum="") for name, formula in _COUNTED.items()},
    "touchpoints": "ln(1 + own)",
    "repeats": "ln(1 + own - different)",
    "time since it began": "ln(1 + days_between(began, last_at) * 24)",
}
#: Drivers of leaving: of a customer's steps up to the day from which on it is looked who comes.
LEAVING: Mapping[str, str] = {
    **{name: formula.format(sum="sum") for name, formula in _COUNTED.items()},
    "visits": "ln(1 + count(*) FILTER (WHERE active > 0))",
    "silence": "ln(1 + days_between(max(active_at), :known))",
    "time since the first visit": "ln(1 + days_between(min(began), :known))",
    "answers": "ln(1 + sum(answers))",
    "bad answers": "ln(1 + sum(bad_answers))",
}
#: What the drivers are, for people.
UNITS = (
    "Drivers are ln(1 + x), so that the first counts more than the tenth; waits in minutes, lateness in hours, silence "
    "in days."
)

# Cases are ordered, so that a seed gives the same samples.
# One row of sums over a journey's steps up to {until}; a switch is the next contact of the customer on another channel.
_STEPS_OF_A_JOURNEY = f"""
    SELECT coalesce(sum(wait_ms), 0)::float8 AS wait_ms,
           count(*) FILTER (WHERE own AND outcome = 'failed') AS failed,
           count(*) FILTER (WHERE own AND outcome = 'abandoned') AS given_up,
           count(*) FILTER (WHERE own AND jsonb_exists(CAST(:help AS jsonb), touchpoint)) AS help,
           count(*) FILTER (WHERE own AND jsonb_exists(CAST(:complaints AS jsonb), touchpoint)) AS complaints,
           count(*) FILTER (WHERE own AND channel <> channel_before) AS switches,
           coalesce(max(greatest(0, late_ms)), 0)::float8 AS late_ms,
           count(*) FILTER (WHERE own) AS own,
           count(DISTINCT touchpoint) FILTER (WHERE own) AS different,
           count(*) FILTER (WHERE own AND jsonb_exists(CAST(:active AS jsonb), touchpoint)) AS active,
           max(at) FILTER (WHERE own AND jsonb_exists(CAST(:active AS jsonb), touchpoint)) AS active_at,
           count(score) AS answers, count(*) FILTER (WHERE score < 50) AS bad_answers,
           min(at) AS began, max(at) AS last_at,
           (array_agg(score ORDER BY place DESC) FILTER (WHERE score IS NOT NULL))[1] AS answer
    FROM (
        SELECT at, channel, touchpoint, outcome, wait_ms, late_ms, score, own, place,
               lag(channel) OVER (PARTITION BY own ORDER BY place) AS channel_before,
               max(place) FILTER (WHERE score IS NOT NULL) OVER () AS answered_place
        FROM (
            SELECT step.at, step.channel, {TOUCHPOINT} AS touchpoint, step.outcome, step.wait_ms, step.late_ms,
                   step.score, {BEGUN_BY_CUSTOMER} AS own, row_number() OVER (ORDER BY {ORDER}) AS place
            FROM {ALL_STEPS}
        ) AS placed
    ) AS followed
    WHERE {{until}}
"""
_ANSWERED = f"""
    SELECT journey.journey_id::text AS journey_id, journey.customer, {{drivers}}, summed.answer AS outcome
    FROM journey CROSS JOIN LATERAL ({_STEPS_OF_A_JOURNEY.format(until="place <= answered_place")}) AS summed
    WHERE {BEGAN} AND (steps_omitted > 0 OR steps @? '$[*].score') AND summed.answer IS NOT NULL
    ORDER BY journey.journey_id
"""
_CUSTOMERS = f"""
    SELECT NULL AS journey_id, customer, {{drivers}}, (NOT EXISTS (
               SELECT FROM journey
               CROSS JOIN LATERAL {ALL_STEPS}
               WHERE journey.customer = known.customer AND {IS_THERE} AND journey.ended_at > :known
                 AND journey.started_at <= :until AND step.at > :known AND step.at <= :until
                 AND {BEGUN_BY_CUSTOMER} AND jsonb_exists(CAST(:active AS jsonb), {TOUCHPOINT})
           ))::int AS outcome
    FROM (
        SELECT journey.customer, summed.*
        FROM journey CROSS JOIN LATERAL ({_STEPS_OF_A_JOURNEY.format(until="at <= :known")}) AS summed
        WHERE {IS_THERE} AND journey.started_at <= :known
          AND (CAST(:since AS timestamptz) IS NULL OR journey.started_at >= :since)
    ) AS known
    GROUP BY customer
    HAVING sum(active) > 0
    ORDER BY customer
"""


class Case(NamedTuple):
    """A journey (or a customer alone), the figures of its drivers in their order, and what came of it."""

    journey_id: str | None
    customer: str
    drivers: Sequence[float]
    outcome: float


def answered_journeys(
    connection: Connection,
    known: Meanings,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    progress: Callable[[int], None] = lambda _done: None,
) -> Iterator[Case]:
    """Yield the journeys with an answer that began from `since` to `until` (exclusive); the outcome is their last one.

    It is 0 to 100. Drivers are those of `SATISFACTION`.
    """
    parameters = {"since": since, "until": until}
    return _cases(connection, _ANSWERED, SATISFACTION, {**parameters, **known._asdict()}, progress)


def customers_who_may_leave(
    connection: Connection,
    known: Meanings,
    *,
    since: datetime | None = None,
    until: datetime,
    horizon: timedelta,
    progress: Callable[[int], None] = lambda _done: None,
) -> Iterator[Case]:
    """Yield customers with activity before `until` - `horizon`; the outcome is 1 for those without any since, else 0.

    Drivers are those of `LEAVING`, from their journeys since `since` up to then.
    """
    parameters = {"since": since, "until": until, "known": until - horizon}
    return _cases(connection, _CUSTOMERS, LEAVING, {**parameters, **known._asdict()}, progress)


def _cases(
    connection: Connection,
    statement: str,
    drivers: Mapping[str, str],
    parameters: Mapping[str, Any],
    progress: Callable[[int], None],
) -> Iterator[Case]:
    columns = ", ".join([f"({formula})::float8 AS driver_{number}" for number, formula in enumerate(drivers.values())])
    rows = connection.execute(
        text(statement.format(drivers=columns)), parameters, execution_options={"yield_per": _FETCHED}
    )
    read = 0
    for some in rows.partitions():
        yield from [Case(row[0], row[1], row[2:-1], float(row[-1])) for row in some]
        read += len(some)
        progress(read)
