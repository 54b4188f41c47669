"""Checks whether the active churn model still holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from pipeline import settings
from pipeline.errors import InvalidInput
from pipeline.fitting.churn import Baseline, Validation, baseline, validate
from pipeline.fitting.counting import Counting
from pipeline.fitting.covariates import Foreteller
from pipeline.fitting.drift import LARGE, Profile, inputs, stability_index
from pipeline.journey import policy
from pipeline.queries.lately import Weighing, weighing
from pipeline.queries.models import StoredModel, active_model
from pipeline.queries.visits import followed, visits_between
from pipeline.scores.churn.model import ChurnModel


def live_model(stored: StoredModel) -> ChurnModel:
    """Return a version of the churn model as scores are made with it."""
    return ChurnModel.from_parameters(stored.version, stored.source, stored.parameters)


def weighed(connection: Connection, half_life_days: float) -> Weighing:
    """Return how what happened beyond visits is weighed, by the policy that the workers have."""
    return weighing(connection, policy.read(settings.load(needs=()).policy_file), half_life_days)


def foreteller(stored: StoredModel) -> Foreteller:
    """Return a version of the churn model as it foretells many customers at once."""
    known = live_model(stored)
    counting = Counting(known.r, known.alpha_days, known.a, known.b, known.leaves_after_first)
    return Foreteller(counting, known.covariates)


def check_churn(connection: Connection, until: datetime | None, named: bool, seed: int) -> dict[str, Any]:
    """Return how the active version has foretold who came within its horizon, and how far its inputs have moved.

    Raises InvalidInput where there is no history of that length.
    """
    active, between = active_model(connection, ChurnModel.NAME), visits_between(connection)
    if active is None or between is None:
        raise InvalidInput("The tables hold no visits yet, so there is nothing to check.")
    horizon = int(active.parameters["horizon_days"])
    end = until or between[1]
    learned_until = end - timedelta(days=horizon)
    if learned_until <= between[0]:
        raise InvalidInput(
            f"Visits from {between[0]:%Y-%m-%d} to {end:%Y-%m-%d} are less than the horizon of {horizon} days: what "
            "was foretold has not had its time yet."
        )
    known = live_model(active)
    beyond = weighed(connection, known.half_life_days) if any(known.covariates.beyond) else None
    before = followed(connection, learned_until, end, named=named, beyond=beyond)
    found = validate(foreteller(active).comes(before.histories, horizon), before.came, seed)
    beaten = baseline(before.histories, before.came, seed)
    then = None if active.fit is None else active.fit["forms"][active.fit["best"]]["validation"]
    drift = None
    if active.fit is not None:
        now = inputs(followed(connection, end, end, named=named).histories)
        drift = {name: stability_index(Profile(**active.fit["inputs"][name]), values) for name, values in now.items()}
    return {
        "version": active.version,
        "until": end.isoformat(),
        "learned_until": learned_until.isoformat(),
        "horizon_days": horizon,
        "validation": found.figures(),
        "then": then,
        "baseline": {"base_rate": beaten.base_rate, "base_rate_brier": beaten.base_rate_brier},
        "drift": drift,
        "brier_limit": _brier_limit(found, then, beaten),
        "findings": list(_findings(found, then, beaten, drift)),
    }


def _brier_limit(found: Validation, then: Mapping[str, Any] | None, beaten: Baseline) -> float:
    """Return from which Brier score on the model does not hold; see `_findings`.

    Half of the interval is added to that of the validation, since both figures are uncertain.
    """
    if then is None:
        return beaten.base_rate_brier
    return min(beaten.base_rate_brier, float(then["brier"]["high"]) + found.brier.value - found.brier.low)


def _findings(
    found: Validation, then: Mapping[str, Any] | None, beaten: Baseline, drift: Mapping[str, float] | None
) -> Iterator[str]:
    """Yield what does not hold, and what to do about it."""
    if found.brier.value >= beaten.base_rate_brier:
        yield "It foretells no better than the base rate: fit it anew (pipeline fit churn)."
    elif then is not None and found.brier.low > then["brier"]["high"]:
        yield "It foretells worse than when it was fitted: fit it anew (pipeline fit churn)."
    for name, index in (drift or {}).items():
        if index > LARGE:
            yield f"Customers' {name} are not what it was fitted to: fit it anew (pipeline fit churn)."
