"""The row of a customer's churn risk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, NamedTuple

from pipeline.rows import FLOAT, INTEGER, INTERNAL, MOMENT, NUMBERS, NUMERIC, REASONS, TEXT, Table
from pipeline.scores.reason import Reason


class ChurnRow(NamedTuple):
    """A customer's churn risk as of `as_of`, and the history that it rests on. Times are epoch milliseconds."""

    customer: Annotated[str, TEXT]
    probability: Annotated[float, FLOAT]
    band: Annotated[str, TEXT]
    horizon_days: Annotated[int, INTEGER]
    as_of: Annotated[int, MOMENT]
    visits: Annotated[int, INTEGER]
    first_active_at: Annotated[int, MOMENT]
    last_active_at: Annotated[int, MOMENT]
    account_closed_at: Annotated[int | None, MOMENT]
    last_seen_at: Annotated[int, MOMENT]
    evidence: Annotated[Mapping[str, int], NUMBERS, INTERNAL]
    activities: Annotated[int, INTEGER, INTERNAL]
    activity_weight: Annotated[int, NUMERIC, INTERNAL]
    payments: Annotated[Mapping[str, int], NUMBERS, INTERNAL]
    paid: Annotated[Mapping[str, int], NUMBERS, INTERNAL]
    reasons: Annotated[tuple[Reason, ...], REASONS]
    model: Annotated[str, TEXT]


TABLE = Table("churn_risk", ChurnRow, key=("customer",))
