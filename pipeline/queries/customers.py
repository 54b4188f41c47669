"""What the tables hold about one customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from pipeline.ledger.moments import ms
from pipeline.queries.expected import ExpectedContact, expected_of_customer, shown_model
from pipeline.scores.churn.beyond import Beyond
from pipeline.scores.churn.model import Activity, ChurnModel
from pipeline.scores.churn.reasons import reasons
from pipeline.scores.evidence.sums import Evidence
from pipeline.scores.reason import Reason

#: Number of customers before and after a key that are searched for a similar one.
_NEIGHBOURS = 100
#: Number of contacts that nobody answered of which is said what they are expected to get.
_SILENT = 5


class JourneyView(NamedTuple):
    """A journey; `steps` are objects as the column holds them, without what is null."""

    journey_id: str
    status: str
    revision: int
    started_at: datetime
    ended_at: datetime
    touchpoints: int
    channels: Mapping[str, int]
    outcome: str
    failures: int
    abandoned: int
    steps: Sequence[Mapping[str, Any]]
    steps_omitted: int


class SatisfactionView(NamedTuple):
    """Satisfaction as of a moment, 0 to 100 with its 95 % interval.

    `answers` is the effective number, `answered` that of any age, `own_weight` the share (0 to 1) of the score that
    comes from the customer's own answers.
    """

    score: float
    low: float
    high: float
    answers: float
    answered: int
    own_weight: float
    last_answer_at: datetime
    model: str


class ChurnView(NamedTuple):
    """Churn risk as of a moment, and the reasons for it."""

    probability: float
    band: str
    horizon_days: int
    visits: int
    first_active_at: datetime
    last_active_at: datetime
    account_closed_at: datetime | None
    last_seen_at: datetime
    reasons: Sequence[Reason]
    model: str


class Profile(NamedTuple):
    """One customer; `journeys` has the latest ones first, up to the limit; the other numbers are of all journeys."""

    customer: str
    as_of: datetime
    journey_count: int
    touchpoints: int
    channels: Mapping[str, int]
    first_seen_at: datetime
    last_seen_at: datetime
    satisfaction: SatisfactionView | None
    churn_risk: ChurnView | None
    journeys: Sequence[JourneyView]
    #: Contacts that nobody answered, the latest first, with what they are expected to get; see `queries.expected`.
    expected: Sequence[ExpectedContact] = ()


_TOTALS = text("""
    WITH mine AS (
        SELECT touchpoints, channels, started_at, ended_at FROM journey
        WHERE customer = :customer AND merged_into IS NULL AND moved_to IS NULL
    )
    SELECT count(*) AS journeys, sum(touchpoints) AS touchpoints, min(started_at) AS first_seen_at,
           max(ended_at) AS last_seen_at,
           (SELECT jsonb_object_agg(channel, n) FROM (
               SELECT channel, sum(n::integer) AS n FROM mine, jsonb_each_text(channels) AS c (channel, n)
               GROUP BY channel
           ) AS counted) AS channels
    FROM mine
""")
_JOURNEYS = text("""
    SELECT journey_id::text AS journey_id, status, revision, started_at, ended_at, touchpoints, channels, outcome,
           failures, abandoned, steps, steps_omitted
    FROM journey WHERE customer = :customer AND merged_into IS NULL AND moved_to IS NULL
    ORDER BY started_at DESC, journey_id LIMIT :most
""")
_CROSSING = text("""
    SELECT customer, journey_id::text AS journey_id, status, revision, started_at, ended_at, touchpoints, channels,
           outcome, failures, abandoned, steps, steps_omitted
    FROM journey
    WHERE merged_into IS NULL AND moved_to IS NULL AND touchpoints BETWEEN :least AND :most
      AND starts_with(customer, :prefix)
    ORDER BY (SELECT count(*) FROM jsonb_object_keys(channels)) DESC, failures > 0 DESC, abandoned > 0 DESC,
             outcome = 'succeeded' DESC, touchpoints DESC, journey_id
    LIMIT 1
""")
_SATISFACTION = text("""
    SELECT now.score, now.low, now.high, now.answers, now.answered,
           now.answers / (now.answers + (m.parameters->>'prior_weight')::double precision) AS own_weight,
           s.as_of AS last_answer_at, now.model
    FROM satisfaction_at(CAST(:at AS timestamptz)) AS now
    JOIN satisfaction AS s USING (customer)
    JOIN model AS m ON m.name || ' ' || m.version = now.model
    WHERE now.customer = :customer
""")
_CHURN = text("""
    SELECT now.probability, now.band, now.horizon_days, now.visits, now.first_active_at, now.last_active_at,
           now.account_closed_at, now.last_seen_at, now.model, m.version, m.source, m.parameters,
           known.evidence, known.activities, known.activity_weight, known.payments, known.paid
    FROM churn_risk_at(CAST(:at AS timestamptz)) AS now
    JOIN churn_risk AS known USING (customer)
    JOIN model AS m ON m.name || ' ' || m.version = now.model
    WHERE now.customer = :customer
""")
_NEAR = text("""
    (SELECT customer FROM journey WHERE merged_into IS NULL AND moved_to IS NULL AND customer >= :key
     ORDER BY customer LIMIT :most)
    UNION
    (SELECT customer FROM journey WHERE merged_into IS NULL AND moved_to IS NULL AND customer < :key
     ORDER BY customer DESC LIMIT :most)
""")
_NUMBERED = text("SELECT customer FROM churn_risk WHERE starts_with(customer, 'customer:')")
_KNOWN = text("SELECT EXISTS (SELECT FROM journey WHERE merged_into IS NULL AND moved_to IS NULL AND customer = :key)")


def profile(connection: Connection, customer: str, at: datetime, journeys: int) -> Profile | None:
    """Return what is known about a customer, scores as of `at`, with the latest `journeys`; None if unknown."""
    totals = connection.execute(_TOTALS, {"customer": customer}).one()
    if not totals.journeys:
        return None
    model = shown_model(connection)
    rows = connection.execute(_JOURNEYS, {"customer": customer, "most": journeys})
    return Profile(
        customer=customer,
        as_of=at,
        journey_count=totals.journeys,
        touchpoints=totals.touchpoints,
        channels=dict(sorted(totals.channels.items(), key=lambda item: (-item[1], item[0]))),
        first_seen_at=totals.first_seen_at,
        last_seen_at=totals.last_seen_at,
        satisfaction=_satisfaction(connection, customer, at),
        churn_risk=_churn(connection, customer, at),
        journeys=[JourneyView(**row._mapping) for row in rows],
        expected=() if model is None else expected_of_customer(connection, model, customer, _SILENT),
    )


def example_journey(connection: Connection, prefix: str, least: int, most: int) -> tuple[str, JourneyView] | None:
    """Return a customer whose key begins with `prefix`, and a journey that shows much in `least` to `most` steps.

    It has as many channels as any, and a failure and an abandonment if there is such a journey. Reads all journeys of
    these customers.
    """
    row = connection.execute(_CROSSING, {"prefix": prefix, "least": least, "most": most}).one_or_none()
    if row is None:
        return None
    columns = dict(row._mapping)
    return columns.pop("customer"), JourneyView(**columns)


def is_known(connection: Connection, customer: str) -> bool:
    """Return whether a customer with that key has been seen."""
    return bool(connection.execute(_KNOWN, {"key": customer}).scalar())


def neighbours(connection: Connection, key: str) -> list[str]:
    """Return customers whose keys come right before and after a key; reads an index only."""
    return [row.customer for row in connection.execute(_NEAR, {"key": key, "most": _NEIGHBOURS})]


def numbered(connection: Connection) -> list[str]:
    """Return the keys of all customers known by number who have begun a contact."""
    return [row.customer for row in connection.execute(_NUMBERED)]


def _satisfaction(connection: Connection, customer: str, at: datetime) -> SatisfactionView | None:
    row = connection.execute(_SATISFACTION, {"customer": customer, "at": at}).one_or_none()
    return None if row is None else SatisfactionView(**row._mapping)


def _churn(connection: Connection, customer: str, at: datetime) -> ChurnView | None:
    row = connection.execute(_CHURN, {"customer": customer, "at": at}).one_or_none()
    if row is None:
        return None
    return ChurnView(
        probability=row.probability,
        band=row.band,
        horizon_days=row.horizon_days,
        visits=row.visits,
        first_active_at=row.first_active_at,
        last_active_at=row.last_active_at,
        account_closed_at=row.account_closed_at,
        last_seen_at=row.last_seen_at,
        reasons=reasons_at(row, at),
        model=row.model,
    )


def reasons_at(row: Any, at: datetime) -> tuple[Reason, ...]:
    """Return the reasons as of `at` for a row of `churn_risk_at`.

    It has its model's version, source and parameters, too, and what `churn_risk` knows beyond visits.
    """
    closed = row.account_closed_at
    beyond = Beyond(
        Evidence.of(row.evidence),
        row.activities,
        int(row.activity_weight),
        row.payments,
        row.paid,
        ms(row.last_seen_at),
    )
    activity = Activity(
        row.visits, ms(row.first_active_at), ms(row.last_active_at), None if closed is None else ms(closed), beyond
    )
    return reasons(activity, ms(at), ChurnModel.from_parameters(row.version, row.source, row.parameters))
