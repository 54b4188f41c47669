"""Checks whether the active churn model still holds."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from pipeline.cli.models.checks.verdict import Limit, NotCheckable, drift_since, findings, lowest, than_when_fitted
from pipeline.cli.models.live import foreteller, live_model, weighed
from pipeline.fitting.churn import baseline, validate
from pipeline.fitting.drift import BEYOND, inputs
from pipeline.queries.models import StoredModel
from pipeline.queries.visits import followed, visits_between


def check_churn(
    connection: Connection, active: StoredModel, until: datetime | None, seed: int, *, named: bool
) -> dict[str, Any]:
    """Return how the active version has foretold who came within its horizon, and how far its inputs have moved.

    Raises NotCheckable where there is no history of that length.
    """
    between = visits_between(connection)
    if between is None:
        raise NotCheckable("The tables hold no visits yet.")
    horizon = int(active.parameters["horizon_days"])
    end = until or between[1]
    learned_until = end - timedelta(days=horizon)
    if learned_until <= between[0]:
        raise NotCheckable(
            f"Visits from {between[0]:%Y-%m-%d} to {end:%Y-%m-%d} are less than the horizon of {horizon} days: what "
            "was foretold has not had its time yet."
        )
    known = live_model(active)
    weighing = weighed(connection, known.half_life_days)
    beyond = weighing if any(known.covariates.beyond) else None
    before = followed(connection, learned_until, end, named=named, beyond=beyond)
    found = validate(foreteller(active).comes(before.histories, horizon), before.came, seed)
    beaten = baseline(before.histories, before.came, seed)
    then = None if active.fit is None else active.fit["forms"][active.fit["best"]]["validation"]
    drift = None
    if active.fit is not None:
        beyond = weighing if active.fit["inputs"].keys() & BEYOND else None
        drift = drift_since(active.fit, inputs(followed(connection, end, end, named=named, beyond=beyond).histories))
    limits = [Limit(beaten.base_rate_brier, "It foretells no better than the base rate")]
    if then is not None:
        limits.append(than_when_fitted(found.brier, then["brier"]))
    return {
        "until": end.isoformat(),
        "learned_until": learned_until.isoformat(),
        "horizon_days": horizon,
        "validation": found.figures(),
        "then": then,
        "baseline": {"base_rate": beaten.base_rate, "base_rate_brier": beaten.base_rate_brier},
        "drift": drift,
        "brier_limit": lowest(limits),
        "findings": list(findings(found.brier.value, limits, drift, "pipeline fit churn")),
    }
