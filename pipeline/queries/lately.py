"""What happened to all customers up to a past moment, from the steps of their journeys."""

from __future__ import annotations

from typing import NamedTuple

import orjson
from sqlalchemy import Connection, text

from pipeline import catalogue
from pipeline.flow.traits import TraitsResolver
from pipeline.journey.policy import Policy
from pipeline.ledger.customers import IS_THERE
from pipeline.scores.churn.score import PURCHASE

_KINDS = text("SELECT DISTINCT channel, kind FROM touchpoint_count ORDER BY channel, kind")

#: What touchpoints mean, as a part of a statement with :kinds.
KNOWN = """
    known AS MATERIALIZED (
        SELECT * FROM json_to_recordset(CAST(:kinds AS json))
            AS known (channel text, kind text, begun_by text, own boolean, active boolean, concern text)
    )
"""
#: The steps of journeys up to a parameter, with what they mean, for a statement with `KNOWN`, :until and :half_life.
#: What happened a half-life before :until weighs half. Purchases that count have a currency, other steps have none.
STEPS = f"""
    SELECT journey.customer, step.at, step.outcome, step.score, step.amount_minor,
           known.own, known.active, known.concern,
           clamped_exp(-ln(2::float8) * days_between(step.at, :until) / :half_life) AS weight,
           CASE WHEN known.active AND step.kind = '{PURCHASE}' AND step.amount_minor > 0
                     AND step.outcome NOT IN ('failed', 'abandoned') THEN step.currency END AS currency
    FROM journey
    CROSS JOIN LATERAL jsonb_to_recordset(journey.steps) AS step (
        at timestamptz, channel text, kind text, outcome text, begun_by text, score float8,
        amount_minor bigint, currency text)
    JOIN known ON known.channel = step.channel AND known.kind = step.kind
        AND known.begun_by = coalesce(step.begun_by, '')
    WHERE {IS_THERE} AND started_at <= {{until}} AND step.at <= {{until}}
"""
#: The amounts of `fitting.beyond.Lately`, by customer, as parts of a statement with :until, :half_life and :kinds.
#: Sums go by currency first, so that each step is read once.
PARTS = f"""
    {KNOWN},
    by_currency AS (
        SELECT customer, currency,
               sum(weight) FILTER (WHERE concern = 'help') AS help,
               sum(weight) FILTER (WHERE concern = 'complain') AS complaints,
               sum(weight) FILTER (WHERE own AND outcome IN ('failed', 'abandoned')) AS failures,
               sum(weight) FILTER (WHERE score < 50) AS bad_answers,
               sum(weight) FILTER (WHERE score IS NOT NULL) AS answers,
               sum(weight * (score - 50) / 50) AS points,
               sum(weight) FILTER (WHERE active) AS recent,
               count(*) FILTER (WHERE active) AS activities,
               min(at) FILTER (WHERE active) AS first_at,
               max(at) FILTER (WHERE active) AS last_at,
               count(*) AS purchases, sum(amount_minor) AS paid
        FROM ({STEPS.format(until=":until")}) AS steps
        GROUP BY customer, currency
    ),
    lately AS (
        SELECT customer, sum(help) AS help, sum(complaints) AS complaints, sum(failures) AS failures,
               sum(bad_answers) AS bad_answers, sum(answers) AS answers, sum(points) AS points, sum(recent) AS recent,
               sum(activities) AS activities, days_between(min(first_at), max(last_at)) / :half_life AS span,
               days_between(max(last_at), :until) / :half_life AS silent,
               (array_agg(paid / purchases ORDER BY purchases DESC, currency COLLATE "C")
                   FILTER (WHERE currency IS NOT NULL))[1] AS purchase
        FROM by_currency GROUP BY customer
    )
"""


class Weighing(NamedTuple):
    """How things are weighed: after `half_life_days` they count half; `kinds` is what touchpoints mean, as JSON."""

    half_life_days: float
    kinds: str


def weighing(connection: Connection, policy: Policy, half_life_days: float) -> Weighing:
    """Return how touchpoints of the tables are weighed, as workers with that policy do it."""
    resolver = TraitsResolver(catalogue.load(), policy)
    kinds = []
    for channel, kind in connection.execute(_KINDS):
        for begun_by in (None, "customer", "company"):
            traits = resolver.traits(channel, kind, None, begun_by)
            kinds.append(
                {
                    "channel": channel,
                    "kind": kind,
                    "begun_by": begun_by or "",
                    "own": traits.begun_by_customer,
                    "active": traits.is_activity,
                    "concern": traits.concern,
                }
            )
    return Weighing(half_life_days, orjson.dumps(kinds).decode())
