"""How many keys are whose."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, text

_TOTALS = text("""
    SELECT count(DISTINCT key) FILTER (WHERE owner <> key AND why <> 'merged') AS joined,
           count(DISTINCT key) FILTER (WHERE why = 'merged') AS merged,
           count(DISTINCT key) FILTER (WHERE why IN ('shared', 'overfull')) AS shared
    FROM identity_owner
""")
_BY_JOINING = text("""
    SELECT count(*) FROM journey AS j CROSS JOIN LATERAL jsonb_array_elements(j.steps) AS step
    WHERE j.merged_into IS NULL AND j.moved_to IS NULL AND step ? 'via'
""")


class IdentityTotals(NamedTuple):
    """Numbers of keys: those that somebody holds at some time, customers merged into others, shared keys.

    `touchpoints` came by a key that is not their customer's own; of long journeys only the steps that are kept count.
    """

    joined: int
    merged: int
    shared: int
    touchpoints: int


def identity_totals(connection: Connection) -> IdentityTotals:
    """Return the totals as they are now; reads every journey."""
    keys = connection.execute(_TOTALS).one()
    return IdentityTotals(**keys._mapping, touchpoints=connection.execute(_BY_JOINING).scalar_one())
