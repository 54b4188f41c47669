"""Learning what contacts that nobody answered are expected to get, and validating it on later answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from pipeline.cli.fit.satisfaction_learning import figure_record, moment_text, validation_record
from pipeline.errors import InvalidInput
from pipeline.fitting.expected import AnsweredContacts, ExpectedFit, calibration, fit
from pipeline.fitting.histories import Array
from pipeline.fitting.satisfaction import Answers, Prior, Validation, difference, validate
from pipeline.fitting.satisfaction import fit as fit_prior
from pipeline.fitting.validation import Figure
from pipeline.queries.models import StoredModel
from pipeline.scores.satisfaction.contacts import Signals
from pipeline.scores.satisfaction.expected import ExpectedModel


def learn_expected(
    contacts: AnsweredContacts,
    names: Sequence[str],
    waits: Mapping[str, float],
    until: datetime | None,
    horizon: int,
    active: StoredModel | None,
    seed: int,
) -> dict[str, Any]:
    """Return what was learned, as it is stored and printed. Raises NotFitted, or InvalidInput if it is too little.

    `names` are the touchpoints by their numbers, `waits` what they usually take (ms), `horizon` is in days.
    """
    end = float(contacts.days.max()) if until is None else until.timestamp() / 86_400
    is_learned = contacts.days <= end - horizon
    learned, later = contacts.where(is_learned), contacts.where(~is_learned)
    if not len(learned.days) or not len(later.days):
        raise InvalidInput(
            f"Contacts were answered from {moment_text(float(contacts.days.min()))[:10]} on: with a horizon of "
            f"{horizon} days nothing is left to learn from, or to foretell. Choose another --horizon."
        )
    prior = _prior(learned, names)
    every = np.arange(len(names))
    means = prior.usual(every)
    earlier = fit(learned, means)
    usual = means[later.about]
    predicted = earlier.foretell(earlier.levels(means)[later.about], later.signals)
    found = validate(predicted, later.scores, later.customers, seed)
    apart = difference(predicted, usual, later.scores, later.customers, seed)
    final_prior = _prior(contacts, names)
    final = fit(contacts, final_prior.usual(every))
    return {
        "first": moment_text(float(contacts.days.min())),
        "until": moment_text(end),
        "learned_until": moment_text(end - horizon),
        "answers": len(contacts.days),
        "customers": len(np.unique(contacts.customers)),
        "foretold": len(later.days),
        "parameters": _model(final, final_prior, names, waits).parameters(),
        "errors": {
            name: None if np.isnan(error) else error
            for name, error in zip(("intercept", *Signals._fields), final.errors, strict=True)
        },
        "validation": validation_record(found),
        "calibration": _calibration(predicted, later.scores),
        "usual": validation_record(validate(usual, later.scores, later.customers, seed)),
        "usual_calibration": _calibration(usual, later.scores),
        "difference": figure_record(apart),
        "has_skill": has_skill(found, apart),
        "active": None if active is None else _active(active, later, names, seed),
    }


def has_skill(found: Validation, apart: Figure) -> bool:
    """Return whether signals tell something of answers beyond what the touchpoint usually gets, by more than chance."""
    return bool(apart.high < 0 and found.correlation.low > 0)


def _prior(contacts: AnsweredContacts, names: Sequence[str]) -> Prior:
    return fit_prior(Answers(contacts.customers, contacts.days, contacts.scores, contacts.about, names))[0]


def _model(found: ExpectedFit, prior: Prior, names: Sequence[str], waits: Mapping[str, float]) -> ExpectedModel:
    """Return the model, with a level of each touchpoint that was answered."""
    *levels, other = found.levels(np.append(prior.usual(np.arange(len(names))), prior.mean)).tolist()
    return ExpectedModel(
        version="",
        level=other,
        intercept=found.intercept,
        coefficients=found.coefficients,
        levels=dict(zip(names, levels, strict=True)),
        usual_waits=waits,
    )


def _calibration(predicted: Array, scores: Array) -> dict[str, float | None]:
    figures = zip(("intercept", "slope", "gap"), calibration(predicted, scores), strict=True)
    return {name: None if np.isnan(value) else value for name, value in figures}


def _active(active: StoredModel, later: AnsweredContacts, names: Sequence[str], seed: int) -> dict[str, Any]:
    known = ExpectedModel.from_parameters(active.version, active.parameters)
    levels = np.array([known.levels.get(name, known.level) for name in names])
    found = ExpectedFit(known.intercept, known.coefficients, (), np.empty(0))
    predicted = found.foretell(levels[later.about], later.signals)
    validation = validate(predicted, later.scores, later.customers, seed)
    return {"version": active.version, "validation": validation_record(validation)}
