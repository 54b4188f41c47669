"""Learning what contacts that nobody answered are expected to get, and validating it on later answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from pipeline.cli.fit.satisfaction_learning import figure_record, moment_text, profiles, validation_record
from pipeline.errors import InvalidInput
from pipeline.fitting.drift import inputs_of_contacts
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
    final_means = final_prior.usual(every)
    final = fit(contacts, final_means)
    model = _model(final, final_prior, names, waits)
    levels, _ = foretold_by(model, contacts, names)
    return {
        "first": moment_text(float(contacts.days.min())),
        "until": moment_text(end),
        "learned_until": moment_text(end - horizon),
        "answers": len(contacts.days),
        "customers": len(np.unique(contacts.customers)),
        "foretold": len(later.days),
        "parameters": model.parameters(),
        "errors": {
            name: None if np.isnan(error) else error
            for name, error in zip(("intercept", *Signals._fields), final.errors, strict=True)
        },
        "validation": validation_record(found),
        "calibration": calibration_record(predicted, later.scores),
        "usual": validation_record(validate(usual, later.scores, later.customers, seed)),
        "usual_calibration": calibration_record(usual, later.scores),
        "difference": figure_record(apart),
        "has_skill": has_skill(found, apart),
        "active": None if active is None else _active(active, later, names, seed),
        "usual_means": dict(zip(names, final_means.tolist(), strict=True)),
        "usual_mean": final_prior.mean,
        "inputs": profiles(inputs_of_contacts(levels, contacts)),
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


def calibration_record(predicted: Array, scores: Array) -> dict[str, float | None]:
    """Return intercept, slope and gap of the calibration as they are stored: null where they are not known."""
    figures = zip(("intercept", "slope", "gap"), calibration(predicted, scores), strict=True)
    return {name: None if np.isnan(value) else value for name, value in figures}


def foretold_by(model: ExpectedModel, contacts: AnsweredContacts, names: Sequence[str]) -> tuple[Array, Array]:
    """Return the levels of the contacts' touchpoints, and the answers that a model expects; `names` are by number."""
    levels = np.array([model.levels.get(name, model.level) for name in names])[contacts.about]
    found = ExpectedFit(model.intercept, model.coefficients, (), np.empty(0))
    return levels, found.foretell(levels, contacts.signals)


def _active(active: StoredModel, later: AnsweredContacts, names: Sequence[str], seed: int) -> dict[str, Any]:
    known = ExpectedModel.from_parameters(active.version, active.parameters)
    _, predicted = foretold_by(known, later, names)
    validation = validate(predicted, later.scores, later.customers, seed)
    return {"version": active.version, "validation": validation_record(validation)}
