"""What customers bought, as the model of spending needs it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from pipeline.fitting.value import Bought
from pipeline.queries.lately import KNOWN, STEPS, Weighing
from pipeline.queries.visits import VISITS

#: Number of customers that are fetched at once.
_FETCHED = 20_000
_BOUGHT = text(f"""
    WITH visit AS ({VISITS}), {KNOWN},
    purchase AS (
        SELECT customer, currency, count(*) FILTER (WHERE at <= :until) AS purchases,
               sum(amount_minor) FILTER (WHERE at <= :until) AS paid,
               sum(amount_minor) FILTER (WHERE at > :until) AS spent
        FROM ({STEPS.format(until=":followed")}) AS steps
        WHERE currency IS NOT NULL GROUP BY customer, currency
    ),
    main AS (
        SELECT currency FROM visit JOIN purchase USING (customer)
        GROUP BY currency ORDER BY count(*) DESC, currency COLLATE "C" LIMIT 1
    )
    SELECT main.currency, coalesce(purchases, 0)::float8 AS purchases, coalesce(paid, 0)::float8 AS paid,
           coalesce(spent, 0)::float8 AS spent
    FROM visit CROSS JOIN main
    LEFT JOIN purchase ON purchase.customer = visit.customer AND purchase.currency = main.currency
    ORDER BY visit.customer
""")


def bought(
    connection: Connection,
    weighing: Weighing,
    until: datetime,
    end: datetime,
    *,
    named: bool = False,
    progress: Callable[[int], None] = lambda _done: None,
) -> tuple[Bought, str] | None:
    """Return what customers bought up to `until`, what they spent after it up to `end`, and in which currency.

    Customers, and their order, are those of `visits.followed`. It is the currency in which most of them bought up to
    `end`, and amounts are in its smallest unit. None without purchases. Of journeys of more than 200 touchpoints the
    first and the last hundred are known. `progress` is told how many customers are read. Memory: 24 bytes a customer.
    """
    values = {"until": until, "followed": end, "named": named, "kinds": weighing.kinds}
    values["half_life"] = weighing.half_life_days
    rows = connection.execute(_BOUGHT, values, execution_options={"yield_per": _FETCHED})
    parts: list[NDArray[np.float64]] = []
    currency, read = "", 0
    for some in rows.partitions():
        currency = some[0].currency
        parts.append(np.array([tuple(row)[1:] for row in some], np.float64))
        read += len(some)
        progress(read)
    return (Bought(*np.concatenate(parts).T), currency) if parts else None
