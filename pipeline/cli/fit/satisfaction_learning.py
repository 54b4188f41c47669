"""Learning a satisfaction model from answers, and validating it on those that came afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InvalidInput
from pipeline.fitting import peak_end
from pipeline.fitting.drift import inputs_of_answers, profile
from pipeline.fitting.histories import Array
from pipeline.fitting.maximum import NotFitted
from pipeline.fitting.satisfaction import (
    Answers,
    Foretold,
    Prior,
    Validation,
    choose_half_life,
    difference,
    fit,
    foretell,
    last_answers,
    validate,
)
from pipeline.fitting.touchpoints import TouchpointMeans
from pipeline.fitting.validation import Figure
from pipeline.queries.models import StoredModel
from pipeline.scores.satisfaction.model import DEFAULT, TOUCHPOINT_MEAN, SatisfactionModel

_DAY_S = 86_400


def learn(
    answers: Answers,
    until: datetime | None,
    horizon: int,
    half_life: float | str | None,
    active: StoredModel | None,
    seed: int,
) -> dict[str, Any]:
    """Return what was learned, as it is stored and printed. Raises NotFitted, or InvalidInput if it is too little."""
    if until is not None:
        answers = answers.where(answers.days <= until.timestamp() / _DAY_S)
    if not len(answers.days):
        raise InvalidInput("There are no answers up to --until.")
    first, end = float(answers.days.min()), float(answers.days.max()) if until is None else until.timestamp() / _DAY_S
    known = SatisfactionModel.from_parameters("", "", active.parameters) if active is not None else DEFAULT
    is_learned = answers.days <= end - horizon
    learned = answers.where(is_learned)
    if not len(learned.days):
        raise InvalidInput(
            f"Answers from {_date(first)} to {_date(end)} are less than the horizon of {horizon} days: nothing is left "
            "to learn from. Choose a shorter --horizon."
        )
    prior, _ = fit(learned)
    best = choose_half_life(learned, prior)
    wanted = known.half_life_days if half_life is None else half_life
    days = best if isinstance(wanted, str) else wanted
    expected = foretell(answers, prior, days)
    asked = ~is_learned & ~np.isnan(expected.scores)
    if not asked.any():
        raise InvalidInput(
            f"Nobody who had answered before did so again in the {horizon} days before {_date(end)}: nothing can be "
            "foretold."
        )
    later = answers.where(asked)

    def validated(predicted: Any) -> dict[str, Any]:
        return validation_record(validate(np.asarray(predicted), later.scores, later.customers, seed))

    by_active = foretell(answers, prior_of(known, answers.names), known.half_life_days)
    final, means = fit(answers)
    return {
        "first": moment_text(first),
        "until": moment_text(end),
        "learned_until": moment_text(end - horizon),
        "answers": len(answers.days),
        "customers": len(np.unique(answers.customers)),
        "foretold": int(asked.sum()),
        "best_half_life_days": best,
        "parameters": {
            "half_life_days": days,
            "prior_mean": final.mean,
            "prior_weight": final.weight,
            "answer_sd": final.sd,
            **_touchpoint_means(means, answers.names),
        },
        "touchpoint_errors": _errors(means, answers.names),
        "touchpoint_spread": None if means is None else means.spread,
        "validation": validated(expected.at[asked]),
        "active": None if active is None else {"version": active.version, "validation": validated(by_active.at[asked])},
        "score": validated(expected.scores[asked]),
        "prior": validated(np.full(int(asked.sum()), prior.mean)),
        "last": validated(last_answers(answers)[asked]),
        "usual": validated(prior.usual(later.about)),
        "inputs": profiles(inputs_of_answers(answers, final, asked)),
        "peak_end": _peak_end(answers, prior, expected, is_learned, asked, seed),
    }


def validation_record(found: Validation) -> dict[str, Any]:
    """Return a validation as it is stored."""
    return {name: figure_record(figure) for name, figure in found._asdict().items()}


def figure_record(figure: Figure) -> dict[str, float | None]:
    """Return a figure as it is stored: null where it is not known."""
    return {end: None if np.isnan(value) else value for end, value in figure._asdict().items()}


def profiles(inputs: Mapping[str, Array]) -> dict[str, Any]:
    """Return how inputs are spread, as it is stored."""
    return {name: profile(values)._asdict() for name, values in inputs.items()}


def moment_text(days: float) -> str:
    """Return a time, in days since 1970, as text."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=days)).isoformat(timespec="seconds")


def _date(days: float) -> str:
    return moment_text(days)[:10]


def prior_of(model: SatisfactionModel, names: Sequence[str]) -> Prior:
    """Return the prior of a version, with the means of touchpoints in the order of their names."""
    means = np.array([model.touchpoint_means.get(name, model.prior_mean) for name in names])
    return Prior(model.prior_mean, model.prior_weight, model.answer_sd, means)


def _touchpoint_means(means: TouchpointMeans | None, names: Sequence[str]) -> Mapping[str, float]:
    """Return the parameters of touchpoints that have a mean of their own."""
    if means is None:
        return {}
    there = [number for number, error in enumerate(means.errors) if not np.isnan(error) and names[number]]
    return {TOUCHPOINT_MEAN + names[number]: float(means.means[number]) for number in there}


def _errors(means: TouchpointMeans | None, names: Sequence[str]) -> Mapping[str, float]:
    if means is None:
        return {}
    return {name: float(error) for name, error in zip(names, means.errors, strict=False) if not np.isnan(error)}


def _peak_end(
    answers: Answers,
    prior: Prior,
    expected: Foretold,
    is_learned: NDArray[np.bool_],
    asked: NDArray[np.bool_],
    seed: int,
) -> dict[str, Any] | None:
    """Return how much better the worst and the last answer foretell the next one; None where it can't be told."""
    memory = peak_end.memories(answers, prior)
    seen = is_learned & ~np.isnan(expected.at)
    try:
        found = peak_end.fit(memory[seen], expected.at[seen], answers.scores[seen])
    except NotFitted:
        return None
    by_rule = found.foretell(expected.at[asked], memory[asked])
    later = answers.where(asked)
    return {
        "weights": dict(zip(("constant", "worst", "last"), found.weights, strict=True)),
        "errors": dict(zip(("constant", "worst", "last"), found.errors, strict=True)),
        "validation": validation_record(validate(by_rule, later.scores, later.customers, seed)),
        "difference": figure_record(difference(by_rule, expected.at[asked], later.scores, later.customers, seed)),
    }
