"""The customers that the company may lose."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text

from pipeline.errors import InvalidInput
from pipeline.queries.customers import reasons_at
from pipeline.scores.reason import Reason


class AtRisk(NamedTuple):
    """A customer's churn risk as of a moment; `losing` is the sort key of the list (see `LOSING`).

    `satisfaction` is 0 to 100, None without an answer; `risen` is the rise of the probability by silence since
    the last visit. `value` is what they are expected to spend within the horizon if they stay, `value_at_risk` that
    times the probability, both in the smallest unit of `currency`; None where it was not fitted what customers spend.
    """

    customer: str
    probability: float
    band: str
    horizon_days: int
    visits: int
    last_active_at: datetime
    account_closed_at: datetime | None
    satisfaction: float | None
    risen: float
    losing: float
    value: float | None
    value_at_risk: float | None
    currency: str | None
    reasons: Sequence[Reason]


#: The customers that the company is about to lose: they came often, silence has raised their risk much, and they
#: may still be there. Visitors of one day and customers silent for a year come late in the list; those who closed
#: the account come last.
LOSING = "visits × what silence has added to the risk × the chance that they still come"

_VALUE = """
    value_if_stays(visits, first_active_at, last_active_at, CAST(:at AS timestamptz), payments, paid, parameters)
"""
#: name → ORDER BY.
SORTS = {
    "losing": "losing DESC, probability DESC, visits DESC",
    "risk": "probability DESC, visits DESC",
    "visits": "visits DESC, probability DESC",
    "value": f"probability * {_VALUE} DESC NULLS LAST, probability DESC",
}

_RISKS = """
    WITH risk AS (
        SELECT now.*, greatest(0, now.probability - churn_probability(
                   now.visits, now.first_active_at, now.last_active_at, now.account_closed_at, now.last_active_at,
                   m.parameters,
                   beyond_shift(
                       known.first_active_at, known.last_active_at, known.last_seen_at, known.evidence,
                       known.activities, known.activity_weight, known.payments, known.paid,
                       CAST(:at AS timestamptz), m.parameters))) AS risen,
               known.evidence, known.activities, known.activity_weight, known.payments, known.paid,
               m.version, m.source, m.parameters
        FROM churn_risk_at(CAST(:at AS timestamptz)) AS now
        JOIN churn_risk AS known USING (customer)
        JOIN model AS m ON m.name || ' ' || m.version = now.model
        WHERE now.band = ANY(:bands) AND (NOT :named OR starts_with(now.customer, 'customer:'))
    ), sorted AS (
        SELECT * FROM (SELECT *, visits * risen * (1 - probability) AS losing FROM risk) AS risk
        ORDER BY {order}, customer LIMIT :limit
    )
    SELECT sorted.*, s.score AS satisfaction, value, probability * value AS value_at_risk,
           spend_currency(parameters) AS currency
    FROM sorted CROSS JOIN LATERAL {value} AS value LEFT JOIN LATERAL (
        SELECT score FROM satisfaction_at(CAST(:at AS timestamptz)) AS known WHERE known.customer = sorted.customer
    ) AS s ON true
    ORDER BY {order}, customer
"""
_KNOWS_SPEND = text("SELECT spend_currency(parameters) IS NOT NULL FROM model WHERE name = 'churn' AND active")
_BANDS = text("""
    SELECT band, count(*) AS n FROM churn_risk_at(CAST(:at AS timestamptz)) GROUP BY band
""")


def at_risk(
    connection: Connection,
    at: datetime,
    *,
    bands: Sequence[str],
    named: bool = False,
    sort: str = "losing",
    limit: int | None = None,
) -> list[AtRisk]:
    """Return customers whose risk as of `at` is in one of `bands`, in the order of `SORTS[sort]`.

    `named` leaves out customers known by a cookie or an identifier only. Raises InvalidInput for the order by value if
    the active model does not know what customers spend.
    """
    if sort == "value" and not connection.execute(_KNOWS_SPEND).scalar():
        raise InvalidInput(
            "The active churn model does not know what customers spend. Fit one on tables with purchases (`pipeline "
            "fit churn`), and activate it (`pipeline models activate churn VERSION`)."
        )
    values = {"at": at, "bands": list(bands), "named": named, "limit": limit}
    rows = connection.execute(text(_RISKS.format(order=SORTS[sort], value=_VALUE)), values)
    return [
        AtRisk(
            customer=row.customer,
            probability=row.probability,
            band=row.band,
            horizon_days=row.horizon_days,
            visits=row.visits,
            last_active_at=row.last_active_at,
            account_closed_at=row.account_closed_at,
            satisfaction=row.satisfaction,
            risen=row.risen,
            losing=row.losing,
            value=row.value,
            value_at_risk=row.value_at_risk,
            currency=row.currency,
            reasons=reasons_at(row, at),
        )
        for row in rows
    ]


def bands(connection: Connection, at: datetime) -> dict[str, int]:
    """Return the number of customers in each band as of `at`."""
    counts = {row.band: row.n for row in connection.execute(_BANDS, {"at": at})}
    return {band: counts.get(band, 0) for band in ("high", "medium", "low")}
