"""Learning a churn model from a history, and validating it on what came afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import click

from pipeline.cli.fit.history import History, Purchases
from pipeline.cli.models.live import foreteller
from pipeline.errors import InvalidInput
from pipeline.fitting.churn import Baseline, Fit, Validation, baseline, validate
from pipeline.fitting.churn import fit as fit_visits
from pipeline.fitting.covariates import CovariatesFit, Foreteller
from pipeline.fitting.covariates import fit as fit_covariates
from pipeline.fitting.drift import Profile, inputs, profile
from pipeline.fitting.histories import Histories
from pipeline.fitting.maximum import NotFitted
from pipeline.fitting.spend import SpendFit
from pipeline.fitting.spend import fit as fit_spend
from pipeline.fitting.value import ValueValidation, as_so_far, validate_value, value_if_stays
from pipeline.queries.models import StoredModel

#: The forms of the counting model, and whether one may leave after the first visit.
FORMS: Mapping[str, bool] = {"bg": False, "mbg": True}


class Learned(NamedTuple):
    """A counting model, and what is known beyond it, if that was learned."""

    visits: Fit
    beyond: CovariatesFit | None

    @property
    def foreteller(self) -> Foreteller:
        """Return what foretells who comes."""
        return (
            Foreteller(self.visits.model)
            if self.beyond is None
            else Foreteller(self.visits.model, self.beyond.covariates)
        )

    @property
    def name(self) -> str:
        """Return what it is called."""
        return self.visits.model.name + ("" if self.beyond is None else " + covariates")


class Candidate(NamedTuple):
    """Holds a model: as learned for the validation and how it did there, and as learned from everything."""

    learned: Learned
    validation: Validation
    final: Learned


class Spent(NamedTuple):
    """The model of what customers spend, in the smallest unit of `currency`, or in a file's own (None)."""

    fit: SpendFit
    currency: str | None


class ValueCheck(NamedTuple):
    """Holds how value at risk foretells what customers spend within the horizon, and how a naive rule does.

    `spent` is what all of them spent, in the smallest unit of `currency`, or in a file's own (None).
    """

    customers: int
    spent: float
    currency: str | None
    model: ValueValidation
    naive: ValueValidation


class ChurnFit(NamedTuple):
    """Holds what `fit churn` found. `active` is how the version for the scores does on the same customers."""

    first: datetime
    until: datetime
    learned_until: datetime
    horizon_days: int
    candidates: Mapping[str, Candidate]
    best: str
    baseline: Baseline
    active: tuple[str, Validation] | None
    spend: Spent | None
    value: ValueCheck | None
    inputs: Mapping[str, Profile]


def learn(
    history: History,
    until: datetime | None,
    horizon: int,
    forms: Sequence[str],
    with_covariates: bool,
    active: StoredModel | None,
    seed: int,
) -> ChurnFit:
    """Learn up to a horizon (days) before the end, foretell the horizon, then learn from everything.

    Raises InvalidInput for a history that is too short, NotFitted where it does not tell.
    """
    first, last = history.between()
    end = until or last
    learned_until = end - timedelta(days=horizon)
    if learned_until <= first:
        raise InvalidInput(
            f"Visits from {first:%Y-%m-%d} to {end:%Y-%m-%d} are less than the horizon of {horizon} days: nothing is "
            "left to learn from. Choose a shorter --horizon."
        )
    before, everything = history.followed(learned_until, end), history.followed(end, end)
    spend = _fit_spend(history, end)
    learned = {name: Learned(fit_visits(before.histories, FORMS[name]), None) for name in forms}
    final = {name: Learned(fit_visits(everything.histories, FORMS[name]), None) for name in forms}
    if with_covariates:
        learned |= _with_covariates(learned, history, first, learned_until, horizon)
        final |= _with_covariates(final, history, first, end, horizon)
    candidates = {
        name: Candidate(
            each, validate(each.foreteller.comes(before.histories, horizon), before.came, seed), final[name]
        )
        for name, each in learned.items()
        if name in final
    }
    best = min(candidates, key=lambda name: candidates[name].validation.brier.value)
    beaten = baseline(before.histories, before.came, seed)
    return ChurnFit(
        first=first.astimezone(UTC),
        until=end.astimezone(UTC),
        learned_until=learned_until.astimezone(UTC),
        horizon_days=horizon,
        candidates=candidates,
        best=best,
        baseline=beaten,
        active=None
        if active is None
        else (active.version, validate(foreteller(active).comes(before.histories, horizon), before.came, seed)),
        spend=spend,
        value=_check_value(
            history.purchases(learned_until, end), before.histories, learned[best], horizon, beaten.base_rate, seed
        ),
        inputs={name: profile(values) for name, values in inputs(everything.histories).items()},
    )


def _with_covariates(
    learned: Mapping[str, Learned], history: History, first: datetime, until: datetime, horizon: int
) -> dict[str, Learned]:
    """Return the models with what is known beyond visits, by names of their own.

    It is learned by foretelling a horizon before `until`, or half of the history where that is shorter.
    """
    days = min(float(horizon), (until - first) / timedelta(days=2))
    seen = history.followed(until - timedelta(days=days), until)
    with_more = {}
    for name, (visits, _) in learned.items():
        try:
            earlier = fit_visits(seen.histories, visits.model.leaves_after_first).model
            beyond = fit_covariates(seen.histories, seen.came, earlier, days)
        except NotFitted as error:
            click.echo(f"Covariates are left out: {error}.", err=True)
        else:
            with_more[f"{name}-covariates"] = Learned(visits, beyond)
    return with_more


def _fit_spend(history: History, end: datetime) -> Spent | None:
    """Return the model of amounts; visits are of use without it."""
    try:
        known = history.spending(end)
        return None if known is None else Spent(fit_spend(known.amounts), known.currency)
    except NotFitted as error:
        click.echo(f"Amounts are left out: {error}.", err=True)
        return None


def _check_value(
    purchases: Purchases | None, histories: Histories, learned: Learned, horizon: int, comes: float, seed: int
) -> ValueCheck | None:
    """Return how a model that was learned before the horizon foretells spending in it; None where that can't be told.

    `purchases` are those of the customers of `histories`; a share `comes` of them came.
    """
    if purchases is None:
        return None
    known = purchases.bought
    try:
        if not known.spent.any():
            raise NotFitted("nobody spent anything within the horizon")
        spend = fit_spend(known.spending).model
        if not spend.q > 1:
            raise NotFitted("amounts scatter so much that they have no mean (q is not above 1)")
    except NotFitted as error:
        click.echo(f"Value at risk is not validated: {error}.", err=True)
        return None
    value = value_if_stays(histories, learned.visits.model, known, spend, horizon)
    return ValueCheck(
        customers=len(histories),
        spent=float(known.spent.sum()),
        currency=purchases.currency,
        model=validate_value(learned.foreteller.comes(histories, horizon) * value, known.spent, seed),
        naive=validate_value(as_so_far(histories, known, horizon, comes), known.spent, seed),
    )
