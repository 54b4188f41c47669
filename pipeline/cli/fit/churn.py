"""`pipeline fit churn`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import numpy as np
from sqlalchemy import Connection

from pipeline.cli.fit.history import FromFile, FromTables, History
from pipeline.cli.fit.learning import FORMS, ChurnFit, Learned, Spent, ValueCheck, learn
from pipeline.cli.fit.opened import opened
from pipeline.cli.fit.options import period_options, result_options
from pipeline.cli.fit.storing import refuse_dry_activation, store
from pipeline.cli.models.live import live_model, weighed
from pipeline.cli.models.report import print_churn
from pipeline.cli.output import print_json
from pipeline.errors import InvalidInput
from pipeline.fitting.covariates import CovariatesFit
from pipeline.fitting.maximum import NotFitted
from pipeline.queries import models
from pipeline.scores.churn.model import DEFAULT, ChurnModel
from pipeline.scores.churn.value import Spend

_UNITS = {"day": 1, "week": 7}


@click.command()
@period_options(
    last="visit",
    default_horizon=DEFAULT.horizon_days,
    horizon="For how long no visit counts as churn; what validation foretells.",
)
@click.option(
    "--form", type=click.Choice(["best", *FORMS]), default="best", show_default=True,
    help="BG/NBD, MBG/NBD, or the one with the lower Brier score.",
)  # fmt: skip
@click.option(
    "--covariates/--no-covariates",
    default=True,
    show_default=True,
    help="Learn what is known beyond visits.",
)
@click.option("--named", is_flag=True, help="Only customers known by number, not by a cookie or an address.")
@click.option(
    "--visits", "file", type=click.Path(dir_okay=False, exists=True, path_type=Path), metavar="FILE",
    help="Visits from a CSV file with the columns customer, at and perhaps amount, instead of the tables.",
)  # fmt: skip
@click.option("--unit", type=click.Choice(list(_UNITS)), default="day", show_default=True, help="Unit of time shown.")
@result_options(default_version="the date of --until, and the form")
def churn(
    until: datetime | None,
    horizon: int,
    form: str,
    covariates: bool,
    named: bool,
    file: Path | None,
    version: str | None,
    dry_run: bool,
    activate: bool,
    unit: str,
    seed: int,
    as_json: bool,
) -> None:
    """Fit the churn model on visits: journeys with activity of the customer.

    First it learns from what was known a horizon before the end, and foretells who came within the horizon: AUC, Brier
    score and calibration stand beside those of recency alone, of the base rate, and of the active version. Then it
    learns from everything. From the tables it also learns what help, complaints, failures, answers, falling use and
    money say beyond visits, as they were known at the time; from a file, what silence says. The result is stored as a
    new version of the model `churn`, and is active only with --activate or `pipeline models activate`.
    """
    refuse_dry_activation(dry_run, activate)
    with opened(file, dry_run) as connection:
        active = None if connection is None else models.active_model(connection, ChurnModel.NAME)
        known = DEFAULT if active is None else live_model(active)
        half_life_days = known.half_life_days
        with_beyond = covariates or any(known.covariates.beyond)  # the active version is validated with what it weighs
        history = _history(file, connection, named, half_life_days, with_beyond)
        try:
            found = learn(history, until, horizon, list(FORMS) if form == "best" else [form], covariates, active, seed)
        except NotFitted as error:
            raise InvalidInput(f"The model can't be fitted: {error}. It needs a longer history.") from None
        stored = version or f"{found.until:%Y-%m-%d}-{found.best}"
        report = _report(found, _UNITS[unit])
        source = f"pipeline fit churn, on visits until {found.until:%Y-%m-%dT%H:%M:%SZ}"
        parameters = _parameters(found, half_life_days)
        said = store(
            connection, ChurnModel.NAME, stored, source, parameters, report, dry_run=dry_run, activate=activate
        )
    if as_json:
        print_json(report)
        return
    print_churn(report, unit)
    click.echo(said)


def _history(
    file: Path | None, connection: Connection | None, named: bool, half_life_days: float, with_beyond: bool
) -> History:
    if file is not None:
        return FromFile(file)
    assert connection is not None
    return FromTables(connection, named, weighed(connection, half_life_days), with_beyond)


def _parameters(found: ChurnFit, half_life_days: float) -> dict[str, Any]:
    final = found.candidates[found.best].final
    model = final.visits.model
    return ChurnModel(
        version="",
        source="",
        r=model.r,
        alpha_days=model.alpha,
        a=model.a,
        b=model.b,
        leaves_after_first=model.leaves_after_first,
        covariates=final.foreteller.covariates,
        horizon_days=found.horizon_days,
        half_life_days=half_life_days,
        spend=_usable(found.spend),
    ).parameters()


def _usable(spent: Spent | None) -> Spend | None:
    """Return the spend model that scores can use: in a currency, and with a mean (q above 1)."""
    if spent is None or spent.currency is None or not spent.fit.model.q > 1:
        return None
    return Spend(spent.currency, *spent.fit.model)


def _report(found: ChurnFit, unit_days: int) -> dict[str, Any]:
    """Return what is stored, and printed as JSON. α and log-likelihoods are in the unit of time."""
    return {
        "first": found.first.isoformat(),
        "until": found.until.isoformat(),
        "learned_until": found.learned_until.isoformat(),
        "horizon_days": found.horizon_days,
        "unit_days": unit_days,
        "best": found.best,
        "forms": {
            name: {
                "name": each.final.name,
                "fitted": _fitted(each.final, unit_days),
                "learned": _fitted(each.learned, unit_days),
                "validation": each.validation.figures(),
            }
            for name, each in found.candidates.items()
        },
        "active": None
        if found.active is None
        else {"version": found.active[0], "validation": found.active[1].figures()},
        "baseline": {
            "recency_auc": found.baseline.recency_auc._asdict(),
            "base_rate": found.baseline.base_rate,
            "base_rate_brier": found.baseline.base_rate_brier,
        },
        "spend": None if found.spend is None else _spend(found.spend),
        "value": None if found.value is None else _value(found.value),
        "inputs": {name: each._asdict() for name, each in found.inputs.items()},
    }


def _spend(spent: Spent) -> dict[str, Any]:
    fit = spent.fit
    return {
        "currency": spent.currency,
        "customers": fit.customers,
        "parameters": fit.model._asdict(),
        "errors": dict(zip(fit.model._fields, [_known(error) for error in fit.errors], strict=True)),
        "log_likelihood": fit.log_likelihood,
    }


def _value(checked: ValueCheck) -> dict[str, Any]:
    return checked._asdict() | {
        name: {figure: value._asdict() for figure, value in found._asdict().items()}
        for name, found in (("model", checked.model), ("naive", checked.naive))
    }


def _fitted(learned: Learned, unit_days: int) -> dict[str, Any]:
    fit = learned.visits
    scaled = (1, 1 / unit_days, 1, 1)
    names = ("r", "alpha", "a", "b")
    values = dict(zip(names, _times(fit.model[:4], scaled), strict=True))
    errors = dict(zip(names, [_known(error) for error in _times(fit.errors, scaled)], strict=True))
    return {
        "customers": fit.customers,
        "repeat_visits": fit.repeats,
        "parameters": values,
        "errors": errors,
        "log_likelihood": fit.log_likelihood_in(unit_days),
        "covariates": None if learned.beyond is None else _covariates(learned.beyond),
    }


def _covariates(fit: CovariatesFit) -> dict[str, Any]:
    names = fit.covariates._fields
    return {
        "parameters": fit.covariates._asdict(),
        "errors": dict(zip(names, [_known(error) for error in fit.errors], strict=True)),
    }


def _known(error: float) -> float | None:
    return None if np.isnan(error) else error


def _times(values: Sequence[float], by: Sequence[float]) -> list[float]:
    return [value * factor for value, factor in zip(values, by, strict=True)]
