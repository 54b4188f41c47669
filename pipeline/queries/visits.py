"""The visits of all customers, as the counting models need them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from pipeline.fitting.beyond import Lately, features
from pipeline.fitting.histories import Followed, Histories
from pipeline.ledger.customers import IS_THERE
from pipeline.queries.lately import PARTS, Weighing

#: Number of customers that are fetched at once.
_FETCHED = 20_000
_DAY_S = 86_400

_RANGE = text(f"""
    SELECT min(started_at) AS first, max(started_at) AS last FROM journey WHERE {IS_THERE} AND is_visit
""")
#: Of each customer with visits up to :until, those up to :followed.
VISITS = f"""
    SELECT customer, count(*) FILTER (WHERE started_at <= :until) - 1 AS repeats,
           extract(epoch FROM max(started_at) FILTER (WHERE started_at <= :until) - min(started_at))::float8 AS last,
           extract(epoch FROM CAST(:until AS timestamptz) - min(started_at))::float8 AS age,
           bool_or(started_at > :until) AS came
    FROM journey
    WHERE {IS_THERE} AND is_visit AND started_at <= :followed
      AND (NOT :named OR starts_with(customer, 'customer:'))
    GROUP BY customer
    HAVING min(started_at) <= :until
"""
_ONLYVISITS = text(f"SELECT repeats, last, age, came FROM ({VISITS}) AS visit ORDER BY customer")
_WITH_BEYOND = text(f"""
    WITH visit AS ({VISITS}), {PARTS}
    SELECT repeats, last, age, came,
           {", ".join([f"coalesce({name}, 0)::float8" for name in Lately._fields])}
    FROM visit LEFT JOIN lately USING (customer)
    ORDER BY customer
""")


def visits_between(connection: Connection) -> tuple[datetime, datetime] | None:
    """Return when the first and the last visit began; None if there are none."""
    row = connection.execute(_RANGE).one()
    return None if row.first is None else (row.first, row.last)


def followed(
    connection: Connection,
    until: datetime,
    end: datetime,
    *,
    named: bool = False,
    beyond: Weighing | None = None,
    progress: Callable[[int], None] = lambda _done: None,
) -> Followed:
    """Return the visits of all customers who first came up to `until`, in order of their keys.

    Who came again is known up to `end`.
    A visit is a journey with activity of the customer, and is when the journey started. `named` leaves out
    those not known by number. With `beyond`, histories have the features beyond visits, too; of journeys of more than
    200 touchpoints they know the first and the last hundred. `progress` is told how many customers are read. Memory:
    about 100 bytes a customer, and with `beyond` 300.
    """
    parameters = {"until": until, "followed": end, "named": named}
    if beyond is not None:
        parameters |= {"half_life": beyond.half_life_days, "kinds": beyond.kinds}
    statement = _ONLYVISITS if beyond is None else _WITH_BEYOND
    rows = connection.execute(statement, parameters, execution_options={"yield_per": _FETCHED})
    parts: list[NDArray[np.float64]] = []
    read = 0
    for some in rows.partitions():
        parts.append(np.array([tuple(row) for row in some], np.float64))
        read += len(some)
        progress(read)
    columns = 4 if beyond is None else 4 + len(Lately._fields)
    repeats, last, age, came, *lately = (np.concatenate(parts) if parts else np.empty((0, columns))).T
    known = None if beyond is None else features(Lately(*lately))
    return Followed(Histories(repeats, last / _DAY_S, age / _DAY_S, known), came > 0)
