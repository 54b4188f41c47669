"""Churn risk as a score: from a customer's visits to a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.contract.schema import schema_file_text
from pipeline.journey.activity import ACCOUNT_CLOSED
from pipeline.journey.admitted import Admitted
from pipeline.rows import Table
from pipeline.scores.churn.beyond import Beyond
from pipeline.scores.churn.model import DEFAULT, Activity, ChurnModel, band
from pipeline.scores.churn.reasons import explained, reasons
from pipeline.scores.churn.row import TABLE, ChurnRow
from pipeline.scores.decay import half_lives, weight
from pipeline.scores.evidence.row import TABLE as EVIDENCE_TABLE
from pipeline.scores.evidence.sums import NO_EVIDENCE, Evidence
from pipeline.scores.protocol import CustomerChange, NotReversible
from pipeline.scores.reason import Reason
from pipeline.scores.sql import sql_texts
from pipeline.topics import CHURN_RISK as TOPIC

#: The kind whose amounts are what a customer has paid.
PURCHASE = "purchase"
#: Under which name the state of the evidence is found, which this score rests on.
EVIDENCE = EVIDENCE_TABLE.name


class ChurnState(NamedTuple):
    """What the churn risk rests on, and as of when it was last published. Times are epoch milliseconds.

    `visits`, 1 or more, are the journeys with activity of the customer (`journey.activity`); `first_active_at` and
    `last_active_at` are the first and the last touchpoint that counts as activity. `as_of` is never before
    `last_seen_at`. What follows after it is as in `beyond.Beyond`.
    """

    visits: int
    first_active_at: int
    last_active_at: int
    account_closed_at: int | None
    last_seen_at: int
    as_of: int
    evidence: Evidence = NO_EVIDENCE
    activities: int = 0
    activity_weight: int = 0
    payments: Mapping[str, int] = {}
    paid: Mapping[str, int] = {}

    @property
    def visits_alone(self) -> Activity:
        """Return what a model needs that weighs nothing beyond visits."""
        return Activity(self.visits, self.first_active_at, self.last_active_at, self.account_closed_at)

    @property
    def activity(self) -> Activity:
        """Return what any model needs."""
        beyond = Beyond(
            self.evidence, self.activities, self.activity_weight, self.payments, self.paid, self.last_seen_at
        )
        return Activity(self.visits, self.first_active_at, self.last_active_at, self.account_closed_at, beyond)


class ChurnScore:
    """Implements `protocol.Score`; the state is `ChurnState`."""

    table: Table[ChurnRow] = TABLE
    topic = TOPIC
    default_model: ChurnModel = DEFAULT

    @property
    def schema_text(self) -> str:
        """Return the Avro schema of churn-risk.v1."""
        return schema_file_text("churn-risk.avsc")

    @property
    def as_of_sql(self) -> tuple[str, str]:
        """Return the SQL of the functions and of the views."""
        return sql_texts("churn")

    def model(self, version: str, source: str, parameters: Mapping[str, float]) -> ChurnModel:
        """Return the model of a row of the table `model`."""
        return ChurnModel.from_parameters(version, source, parameters)

    def continues(self, before: ChurnModel, after: ChurnModel) -> bool:
        """Return whether both weigh what happened alike."""
        return before.half_life_ms == after.half_life_ms

    def fold(self, state: ChurnState | None, change: CustomerChange, model: ChurnModel) -> ChurnState | None:
        """Add the customer's activity. Every event says that the customer was seen, so the state always changes."""
        payments: Mapping[str, int] = {}
        paid: Mapping[str, int] = {}
        if state is None:
            if not change.visits:
                return None
            visits, first, last, closed, as_of, activities, weight_sum = 0, 0, 0, None, 0, 0, 0
        else:
            visits, first, last, closed, _, as_of, _, activities, weight_sum, payments, paid = state
        events, half_life_ms = change.events, model.half_life_ms
        # As of the first event, numbers are small.
        base = half_lives(events[0].step.at, half_life_ms) if events else 0
        lately = 0
        for event in events:
            traits = event.traits
            if traits.is_activity:
                at = event.step.at
                if at > last:
                    last = at
                if at < first or not first:
                    first = at
                if traits.kind == ACCOUNT_CLOSED and (closed is None or at > closed):
                    closed = at
                activities += 1
                lately += weight(at, half_life_ms, base)
                if is_payment(event):
                    payments, paid = _with_payment(payments, paid, event, 1)
        seen = change.last_seen_at
        return ChurnState(
            visits + change.visits,
            first,
            last,
            closed,
            seen,
            as_of if as_of > seen else seen,
            change.scores.get(EVIDENCE, NO_EVIDENCE),
            activities,
            weight_sum + (lately << base),
            payments,
            paid,
        )

    def unfold(self, state: ChurnState, change: CustomerChange, model: ChurnModel) -> ChurnState | None:
        """Take out activity of the customer. Raises NotReversible if the first or last of it goes and others stay.

        A risk that was published as of a later moment than the last touchpoint keeps that moment.
        """
        visits = state.visits + change.visits
        if not visits:
            return None
        active = [event for event in change.events if event.traits.is_activity]
        begun = {event.step.at for event in active}
        if begun & {state.first_active_at, state.last_active_at, state.account_closed_at}:
            raise NotReversible("the state does not tell the first, last or closing touchpoint among those that stay")
        seen = change.last_seen_at
        as_of = seen if state.as_of == state.last_seen_at else state.as_of
        payments, paid = state.payments, state.paid
        for event in [each for each in active if is_payment(each)]:
            payments, paid = _with_payment(payments, paid, event, -1)
        return state._replace(
            visits=visits,
            last_seen_at=seen,
            as_of=as_of,
            evidence=change.scores.get(EVIDENCE, NO_EVIDENCE),
            activities=state.activities - len(active),
            activity_weight=state.activity_weight - sum([weight(e.step.at, model.half_life_ms) for e in active]),
            payments=payments,
            paid=paid,
        )

    def row(self, customer: str, state: ChurnState, model: ChurnModel) -> ChurnRow:
        """Return the churn risk as of `state.as_of`."""
        activity = state.activity if model.weighs_beyond else state.visits_alone
        risk, why = explained(activity, state.as_of, model)
        return ChurnRow(
            customer=customer,
            probability=risk,
            band=band(risk, model),
            horizon_days=model.horizon_days,
            as_of=state.as_of,
            visits=state.visits,
            first_active_at=state.first_active_at,
            last_active_at=state.last_active_at,
            account_closed_at=state.account_closed_at,
            last_seen_at=state.last_seen_at,
            evidence=state.evidence.numbers(),
            activities=state.activities,
            activity_weight=state.activity_weight,
            payments=state.payments,
            paid=state.paid,
            reasons=why,
            model=model.label,
        )

    def restore(self, row: ChurnRow) -> ChurnState:
        """Return the state that a row was made from."""
        return ChurnState(
            visits=row.visits,
            first_active_at=row.first_active_at,
            last_active_at=row.last_active_at,
            account_closed_at=row.account_closed_at,
            last_seen_at=row.last_seen_at,
            as_of=row.as_of,
            evidence=Evidence.of(row.evidence),
            activities=row.activities,
            activity_weight=row.activity_weight,
            payments=row.payments,
            paid=row.paid,
        )

    def explain(self, state: ChurnState, as_of: int, model: ChurnModel) -> Sequence[Reason]:
        """Return the reasons for the probability as of a moment."""
        return reasons(state.activity, as_of, model)


def is_payment(event: Admitted) -> bool:
    """Return whether an activity is a purchase with an amount that has not failed.

    Other kinds may tell of the same money once more, such as the payment of an order.
    """
    measures = event.step.measures
    return (
        measures is not None
        and measures.amount_minor is not None
        and measures.amount_minor > 0
        and event.traits.kind == PURCHASE
        and event.step.type.outcome not in ("failed", "abandoned")
    )


def _with_payment(
    payments: Mapping[str, int], paid: Mapping[str, int], event: Admitted, times: int
) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Return payments and what they come to with a payment added (`times` 1) or taken out (-1)."""
    measures = event.step.measures
    assert measures is not None and measures.currency is not None and measures.amount_minor is not None
    return (
        _plus(payments, measures.currency, times),
        _plus(paid, measures.currency, times * measures.amount_minor),
    )


def _plus(sums: Mapping[str, int], currency: str, more: int) -> Mapping[str, int]:
    changed = {**sums, currency: sums.get(currency, 0) + more}
    if not changed[currency]:
        del changed[currency]
    return changed


CHURN_RISK = ChurnScore()
