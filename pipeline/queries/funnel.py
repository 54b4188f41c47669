"""Funnels: how many customers come from step to step, in order and within a time, and where the others went.

A customer counts once, with the attempt that came furthest; of several the first. An attempt begins with each
touchpoint of the first step, and goes on with the next one of the second step after it, and so on; all of them lie
within the time from its beginning. No attempt that takes a later touchpoint for a step can come further, so this is
exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from pipeline.ledger.customers import IS_THERE
from pipeline.queries.steps import ALL_STEPS, BEGUN_BY_CUSTOMER, ORDER, TOUCHPOINT, Meanings, Wanted, check_known

_FETCHED = 20_000
#: What funnels are divided by → the group of an attempt.
GROUPS = {"all": "''", "channel": "first_channel"}
_MS = "(extract(epoch FROM {at}) * 1000)::bigint"
_STEP_AT = _MS.format(at="step.at")
_AT = "to_timestamp({ms} / 1000.0)"

# Each step of a journey that is one of the funnel's. `ms` and `n`, its place in the journey, order a customer's steps,
# since journeys of a customer don't overlap. An interval in seconds is the same whatever time zone the session has.
_MATCHED = f"""
    SELECT journey.customer, journey.journey_id, placed.*
    FROM journey CROSS JOIN LATERAL (
        SELECT {_STEP_AT} AS ms, row_number() OVER (ORDER BY {ORDER}) AS n,
               first_value(step.channel) OVER (ORDER BY {ORDER}) AS first_channel,
               {{marks}}
        FROM {ALL_STEPS}
    ) AS placed
    WHERE {IS_THERE} AND ({{any_mark}})
      AND (CAST(:since AS timestamptz) IS NULL OR journey.ended_at >= :since)
      AND (CAST(:until AS timestamptz) IS NULL
           OR journey.started_at < CAST(:until AS timestamptz) + make_interval(secs => :within))
"""
# The attempt from a step on: ms and n of it, then those of the next one that is the next step of the funnel, and so on.
# Of the attempts that begin later the smallest one is the next, since arrays compare by their first elements.
_CHAINED = """
    SELECT *, CASE WHEN is_{number} THEN ARRAY[ms, n] || coalesce(
        min(chain_{following}) OVER (
            PARTITION BY customer ORDER BY ms DESC, n DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), '{{}}') END AS chain_{number}
    FROM ({rest}) AS after_{number}
"""
_ATTEMPTS = f"""
    SELECT DISTINCT ON (customer) customer, first_channel, ms, reached, chain,
           latest + :within * 1000 > {_MS.format(at="CAST(:now AS timestamptz)")}
               AS may_go_on
    FROM (
        SELECT customer, first_channel, ms, n, chain_0 AS chain, max(ms) OVER (PARTITION BY customer) AS latest,
               (SELECT count(*) FROM generate_subscripts(chain_0, 1) AS place
                WHERE place % 2 = 1
                  AND chain_0[place] <= ms + :within * 1000)::int AS reached
        FROM ({{chains}}) AS chained
        WHERE is_0
          AND (CAST(:since AS timestamptz) IS NULL OR ms >= {_MS.format(at="CAST(:since AS timestamptz)")})
          AND (CAST(:until AS timestamptz) IS NULL OR ms < {_MS.format(at="CAST(:until AS timestamptz)")})
    ) AS begun
    ORDER BY customer, reached DESC, ms, n
"""
# What the customer began next within the time, at another touchpoint than the one that was reached.
_WENT = f"""
    SELECT {TOUCHPOINT} AS went
    FROM journey CROSS JOIN LATERAL (
        SELECT step.*, row_number() OVER (ORDER BY {ORDER}) AS place
        FROM {ALL_STEPS}
    ) AS step
    WHERE journey.customer = attempt.customer AND {IS_THERE}
      AND journey.ended_at >= {_AT.format(ms="attempt.chain[2 * attempt.reached - 1]")}
      AND journey.started_at <= {_AT.format(ms="attempt.ms")} + make_interval(secs => :within)
      AND ({_STEP_AT}, step.place) > (attempt.chain[2 * attempt.reached - 1], attempt.chain[2 * attempt.reached])
      AND step.at <= {_AT.format(ms="attempt.ms")} + make_interval(secs => :within)
      AND {BEGUN_BY_CUSTOMER}
      AND NOT CASE attempt.reached {{is_reached}} END
    ORDER BY step.at, step.place LIMIT 1
"""


class Reached(NamedTuple):
    """How many customers of a group came to a step, and the median time from the step before, in milliseconds."""

    group: str
    step: int
    customers: int
    median_ms: int | None
    #: Of those who came no further: how many may still go on, since the time from their last beginning is not over.
    may_go_on: int


class Went(NamedTuple):
    """Where customers of a group went who came no further than a step; None: nowhere within the time."""

    group: str
    step: int
    touchpoint: str | None
    customers: int


class Attempt(NamedTuple):
    """A customer's attempt: the step that it reached, the journey and the time of that, and where they went then."""

    customer: str
    journey_id: str
    reached: int
    at: datetime
    went: str | None


class Funnel:
    """A funnel of two or more steps; numbers of steps count from 1. `until` is exclusive and about the first step.

    Raises InvalidInput for a step that no event has been of.
    """

    def __init__(
        self,
        connection: Connection,
        steps: Sequence[Wanted],
        known: Meanings,
        now: datetime,
        *,
        within: timedelta,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> None:
        check_known(connection, steps)
        self._connection, self._steps = connection, steps
        self._parameters: dict[str, Any] = {
            "since": since, "until": until, "within": within.total_seconds(), "now": now, "own": known.own,
        }  # fmt: skip
        for number, step in enumerate(steps):
            self._parameters |= step.parameters(f"s{number}")

    def reached(self, by: str) -> list[Reached]:
        """Return how many came to each step; `by` is of `GROUPS`."""
        rows = self._connection.execute(
            text(f"""
                WITH attempt AS ({self._attempts()})
                SELECT {GROUPS[by]} AS "group", step, count(*) AS customers,
                       percentile_disc(0.5) WITHIN GROUP (ORDER BY chain[2 * step - 1] - chain[2 * step - 3])
                           FILTER (WHERE step > 1) AS median_ms,
                       count(*) FILTER (WHERE reached = step AND step < :last AND may_go_on) AS may_go_on
                FROM attempt CROSS JOIN LATERAL generate_series(1, reached) AS step
                GROUP BY 1, 2 ORDER BY 1, 2
            """),
            {**self._parameters, "last": len(self._steps)},
        )
        return [Reached(*row) for row in rows]

    def went(self, by: str) -> list[Went]:
        """Return where those went who came no further than a step, the most of a step first."""
        rows = self._connection.execute(
            text(f"""
                WITH attempt AS ({self._attempts()})
                SELECT {GROUPS[by]} AS "group", reached AS step, after.went AS touchpoint, count(*) AS customers
                FROM attempt LEFT JOIN LATERAL ({self._went()}) AS after ON true
                WHERE reached < :last
                GROUP BY 1, 2, 3 ORDER BY 1, 2, customers DESC, 3
            """),
            {**self._parameters, "last": len(self._steps)},
        )
        return [Went(*row) for row in rows]

    def attempts(self, step: int) -> Iterator[Attempt]:
        """Yield the attempts of all who came to a step; as many as `reached` counts."""
        rows = self._connection.execute(
            text(f"""
                WITH attempt AS ({self._attempts()})
                SELECT customer, journey.journey_id::text, reached,
                       {_AT.format(ms="chain[2 * reached - 1]")} AS at, after.went
                FROM attempt
                CROSS JOIN LATERAL (
                    SELECT journey_id FROM journey
                    WHERE journey.customer = attempt.customer AND {IS_THERE}
                      AND journey.started_at <= {_AT.format(ms="chain[2 * reached - 1]")}
                    ORDER BY journey.started_at DESC LIMIT 1
                ) AS journey
                LEFT JOIN LATERAL ({self._went()}) AS after ON reached < :last
                WHERE reached >= :step
            """),
            {**self._parameters, "last": len(self._steps), "step": step},
            execution_options={"yield_per": _FETCHED},
        )
        yield from [Attempt(*row) for row in rows]

    def _attempts(self) -> str:
        marks = [step.matches(f"s{number}") for number, step in enumerate(self._steps)]
        named = ", ".join([f"{mark} AS is_{number}" for number, mark in enumerate(marks)])
        chains = _MATCHED.format(marks=named, any_mark=" OR ".join([f"is_{number}" for number in range(len(marks))]))
        last = len(marks) - 1
        chains = f"SELECT *, CASE WHEN is_{last} THEN ARRAY[ms, n] END AS chain_{last} FROM ({chains}) AS matched"
        for number in range(last - 1, -1, -1):
            chains = _CHAINED.format(number=number, following=number + 1, rest=chains)
        return _ATTEMPTS.format(chains=chains)

    def _went(self) -> str:
        reached = [f"WHEN {number + 1} THEN {step.matches(f's{number}')}" for number, step in enumerate(self._steps)]
        return _WENT.format(is_reached=" ".join(reached))
