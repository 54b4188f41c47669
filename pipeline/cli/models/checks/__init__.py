"""Checks of the active models: what they foretold against what happened. A module for each model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection

from pipeline.cli.models.checks.churn import check_churn
from pipeline.cli.models.checks.expected import check_expected
from pipeline.cli.models.checks.satisfaction import check_satisfaction
from pipeline.cli.models.checks.verdict import NotCheckable
from pipeline.errors import InvalidInput
from pipeline.queries.models import StoredModel, active_model
from pipeline.scores.churn.model import ChurnModel
from pipeline.scores.satisfaction.expected import ExpectedModel
from pipeline.scores.satisfaction.model import SatisfactionModel

Check = Callable[[Connection, StoredModel, datetime | None, int], Mapping[str, Any]]


def check_models(
    connection: Connection, names: Sequence[str], until: datetime | None, named: bool, seed: int
) -> list[dict[str, Any]]:
    """Check the active versions of models; what can't be checked says `why_not`.

    `named` leaves out, for the churn model, customers known by a cookie or an address only. Raises InvalidInput if
    none of the models can be checked.
    """
    checks: Mapping[str, Check] = {
        ChurnModel.NAME: partial(check_churn, named=named),
        SatisfactionModel.NAME: check_satisfaction,
        ExpectedModel.NAME: check_expected,
    }
    found = [_checked(connection, name, checks[name], until, seed) for name in names]
    if all("why_not" in each for each in found):
        reasons = " ".join([f"{each['model']}: {each['why_not']}" for each in found])
        raise InvalidInput(f"No model can be checked. {reasons}")
    return found


def _checked(connection: Connection, name: str, check: Check, until: datetime | None, seed: int) -> dict[str, Any]:
    active = active_model(connection, name)
    if active is None:
        return {"model": name, "version": None, "why_not": _NOT_FITTED[name]}
    try:
        return {"model": name, "version": active.version, **check(connection, active, until, seed)}
    except NotCheckable as error:
        return {"model": name, "version": active.version, "why_not": str(error)}


#: Name of a model → what to do where no version of it is active.
_NOT_FITTED = {
    ChurnModel.NAME: "No version is active; see `pipeline models list`.",
    SatisfactionModel.NAME: "No version is active; see `pipeline models list`.",
    ExpectedModel.NAME: "It was not fitted; `pipeline fit satisfaction --expected --activate` does it.",
}
