"""Loading cases."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.cases.row import CASE, CaseRow
from pipeline.ledger.reload import load_row, select_list

# As in `customers`: OFFSET 0 makes Postgres run the subquery for each row before it, through its index.
_CASES = text(f"""
    SELECT {select_list(CASE)}
    FROM json_to_recordset(CAST(:wanted AS json)) AS wanted (name text, about text)
    CROSS JOIN LATERAL (
        SELECT * FROM customer_case WHERE customer = wanted.name AND subject = wanted.about OFFSET 0
    ) AS known
""")


async def load_cases(connection: AsyncConnection, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], CaseRow]:
    """Return cases by customer and subject, as far as there are any."""
    if not wanted:
        return {}
    named = orjson.dumps([{"name": customer, "about": subject} for customer, subject in wanted]).decode()
    rows = [load_row(CASE, each) for each in await connection.execute(_CASES, {"wanted": named})]
    return {(row.customer, row.subject): row for row in rows}
