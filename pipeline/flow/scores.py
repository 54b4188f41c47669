"""A customer's scores as rows to be committed and published."""

from __future__ import annotations

from pipeline.churn.model import Activity, ChurnModel, band
from pipeline.churn.reasons import explained
from pipeline.flow.state import Customer
from pipeline.flow.values import ChurnRow, SatisfactionRow
from pipeline.satisfaction.estimate import estimate
from pipeline.satisfaction.model import SatisfactionModel


def churn_row(customer: Customer, model: ChurnModel) -> ChurnRow | None:
    """A customer's churn risk as of their last touchpoint, or later where it was last told; None without activity."""
    if not customer.visits:
        return None
    activity = Activity(customer.visits, customer.first_active_at, customer.last_active_at, customer.account_closed_at)
    customer.risk_as_of = max(customer.risk_as_of, customer.last_seen_at)
    return risk_row(customer.key, activity, customer.last_seen_at, customer.risk_as_of, model)


def risk_row(key: str, activity: Activity, last_seen_at: int, as_of: int, model: ChurnModel) -> ChurnRow:
    """The churn risk of the customer `key` as of a moment; times in epoch milliseconds."""
    risk, why = explained(activity, as_of, model)
    return ChurnRow(
        customer=key,
        probability=risk,
        band=band(risk, model),
        horizon_days=model.horizon_days,
        as_of=as_of,
        visits=activity.visits,
        first_active_at=activity.first_at,
        last_active_at=activity.last_at,
        account_closed_at=activity.closed_at,
        last_seen_at=last_seen_at,
        reasons=why,
        model=model.label,
    )


def satisfaction_row(customer: Customer, model: SatisfactionModel) -> SatisfactionRow:
    """The satisfaction of a customer who has answered, as of their last answer."""
    answers = customer.answers
    assert answers is not None
    estimated = estimate(answers, answers.last_at, model)
    return SatisfactionRow(
        customer=customer.key,
        score=estimated.score,
        low=estimated.low,
        high=estimated.high,
        answers=estimated.answers_effective,
        answered=answers.answered,
        as_of=answers.last_at,
        weight=answers.weight,
        weighted=answers.weighted,
        model=model.label,
    )
