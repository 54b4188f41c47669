"""What customers have paid, as the model of spending needs it."""

from __future__ import annotations

import numpy as np
from sqlalchemy import Connection, text

from pipeline.fitting.spend import Spending

_CURRENCY = text("""
    SELECT key FROM churn_risk CROSS JOIN jsonb_each_text(payments) AS each (key, value)
    WHERE value::numeric > 0 GROUP BY key ORDER BY count(*) DESC, key COLLATE "C" LIMIT 1
""")
_PAID = text("""
    SELECT (payments ->> :currency)::float8 AS purchases, (paid ->> :currency)::float8 AS paid
    FROM churn_risk
    WHERE (payments ->> :currency)::numeric > 0 AND (paid ->> :currency)::numeric > 0
      AND (NOT :named OR starts_with(customer, 'customer:'))
    ORDER BY customer
""")


def payments(connection: Connection, *, named: bool = False) -> tuple[Spending, str] | None:
    """Return how many purchases customers made and what they came to on average, and in which currency.

    It is the currency in which most customers bought, and amounts are in its smallest unit. None without purchases.
    `named` leaves out customers known by a cookie or an address only.
    """
    currency: str | None = connection.execute(_CURRENCY).scalar()
    if currency is None:
        return None
    rows = connection.execute(_PAID, {"currency": currency, "named": named})
    found = np.array([(row.purchases, row.paid) for row in rows], np.float64).reshape(-1, 2)
    return Spending(found[:, 0], found[:, 1] / found[:, 0]), currency
