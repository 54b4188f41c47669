"""`pipeline fit churn`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import click
import numpy as np
from sqlalchemy import Connection

from pipeline import settings
from pipeline.cli.fit.visit_file import read_visits
from pipeline.cli.models.check import counting_of
from pipeline.cli.models.report import print_churn
from pipeline.cli.output import print_json
from pipeline.cli.progress import progress
from pipeline.cli.quarantine.places import SinceType
from pipeline.errors import InvalidInput
from pipeline.fitting.churn import Baseline, Fit, Validation, baseline, validate
from pipeline.fitting.churn import fit as fit_visits
from pipeline.fitting.drift import Profile, inputs, profile
from pipeline.fitting.histories import Followed, follow
from pipeline.fitting.maximum import NotFitted
from pipeline.fitting.spend import SpendFit, Spending, spending
from pipeline.fitting.spend import fit as fit_spend
from pipeline.ledger.moments import moment, ms
from pipeline.queries import models
from pipeline.queries.connection import writing
from pipeline.queries.visits import followed, visits_between
from pipeline.scores.churn.model import DEFAULT, ChurnModel

_FORMS = {"bg": False, "mbg": True}
_UNITS = {"day": 1, "week": 7}


class History(Protocol):
    """Gives visits, wherever they come from."""

    def between(self) -> tuple[datetime, datetime]:
        """Return when the first and the last visit were."""

    def followed(self, until: datetime, end: datetime) -> Followed:
        """Return visits up to `until`, and who came after that up to `end`."""

    def spending(self, until: datetime) -> Spending | None:
        """Return what was spent up to `until`, if that is known."""


class Candidate(NamedTuple):
    """Holds a form of the model: as learned for the validation and how it did there, and as learned from everything."""

    learned: Fit
    validation: Validation
    final: Fit


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
    spend: SpendFit | None
    inputs: Mapping[str, Profile]


@click.command()
@click.option("--until", type=SinceType(), metavar="TIME", help="Leave out what came later.  [default: the last visit]")
@click.option(
    "--horizon", type=click.IntRange(1, 3650), default=DEFAULT.horizon_days, show_default=True, metavar="DAYS",
    help="For how long no visit counts as churn; what validation foretells.",
)  # fmt: skip
@click.option(
    "--form", type=click.Choice(["best", *_FORMS]), default="best", show_default=True,
    help="BG/NBD, MBG/NBD, or the one with the lower Brier score.",
)  # fmt: skip
@click.option("--named", is_flag=True, help="Only customers known by number, not by a cookie or an address.")
@click.option(
    "--visits", "file", type=click.Path(dir_okay=False, exists=True, path_type=Path), metavar="FILE",
    help="Visits from a CSV file with the columns customer, at and perhaps amount, instead of the tables.",
)  # fmt: skip
@click.option("--version", help="Name of the new version.  [default: the date of --until, and the form]")
@click.option("--dry-run", is_flag=True, help="Store nothing.")
@click.option("--activate", is_flag=True, help="Make scores with it, if it validates no worse than the active version.")
@click.option("--unit", type=click.Choice(list(_UNITS)), default="day", show_default=True, help="Unit of time shown.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def churn(
    until: datetime | None,
    horizon: int,
    form: str,
    named: bool,
    file: Path | None,
    version: str | None,
    dry_run: bool,
    activate: bool,
    unit: str,
    seed: int,
    as_json: bool,
) -> None:
    """Fit the churn model on visits: journeys with a touchpoint that the customer began.

    First it learns from what was known a horizon before the end, and foretells who came within the horizon: AUC, Brier
    score and calibration stand beside those of recency alone, of the base rate, and of the active version. Then it
    learns from everything. The result is stored as a new version of the model `churn`, and is active only with
    --activate or `pipeline models activate`.
    """
    if dry_run and activate:
        raise click.UsageError("--dry-run stores nothing that could be activated.")
    with _opened(file, dry_run) as connection:
        history = _FromFile(file) if file is not None else _FromTables(connection, named)
        active = None if connection is None else models.active_model(connection, ChurnModel.NAME)
        try:
            found = _fit(history, until, horizon, form, active, seed)
        except NotFitted as error:
            raise InvalidInput(f"The model can't be fitted: {error}. It needs a longer history.") from None
        stored = version or f"{found.until:%Y-%m-%d}-{found.best}"
        report = _report(found, _UNITS[unit])
        if connection is not None and not dry_run:
            connection.rollback()
            source = f"pipeline fit churn, on visits until {found.until:%Y-%m-%dT%H:%M:%SZ}"
            models.save(connection, ChurnModel.NAME, stored, source, _parameters(found), report)
            if activate:
                models.activate(connection, ChurnModel.NAME, stored)
            connection.commit()
    if as_json:
        print_json(report)
        return
    print_churn(report, unit)
    if dry_run or connection is None:
        click.echo("Nothing was stored.")
    else:
        state = "active" if activate else f"not active; see `pipeline models activate churn {stored}`"
        click.echo(f"Stored as churn {stored}, {state}.")


@contextmanager
def _opened(file: Path | None, dry_run: bool) -> Iterator[Connection | None]:
    """Open the tables, unless neither the history nor the result is there."""
    if file is not None and dry_run:
        yield None
        return
    with writing(settings.load(needs=settings.READER).database_url) as connection:
        yield connection


class _FromTables:
    def __init__(self, connection: Connection | None, named: bool) -> None:
        assert connection is not None
        self._connection, self._named = connection, named

    def between(self) -> tuple[datetime, datetime]:
        found = visits_between(self._connection)
        if found is None:
            raise InvalidInput("The tables hold no visits yet.")
        return found

    def followed(self, until: datetime, end: datetime) -> Followed:
        with progress("Reading customers", None) as shown:
            return followed(self._connection, until, end, named=self._named, progress=shown)

    def spending(self, until: datetime) -> Spending | None:
        return None  # the tables hold no amounts by visit


class _FromFile:
    def __init__(self, path: Path) -> None:
        self._visits = read_visits(path)

    def between(self) -> tuple[datetime, datetime]:
        at = self._visits.at_ms
        return moment(int(at.min())), moment(int(at.max()))

    def followed(self, until: datetime, end: datetime) -> Followed:
        return follow(self._visits.customers, self._visits.at_ms, ms(until), ms(end))

    def spending(self, until: datetime) -> Spending | None:
        customers, at_ms, amounts = self._visits
        return None if amounts is None else spending(customers, at_ms, amounts, ms(until))


def _fit(
    history: History,
    until: datetime | None,
    horizon: int,
    form: str,
    active: models.StoredModel | None,
    seed: int,
) -> ChurnFit:
    first, last = history.between()
    end = until or last
    learned_until = end - timedelta(days=horizon)
    if learned_until <= first:
        raise InvalidInput(
            f"Visits from {first:%Y-%m-%d} to {end:%Y-%m-%d} are less than the horizon of {horizon} days: nothing is "
            "left to learn from. Choose a shorter --horizon."
        )
    before = history.followed(learned_until, end)
    everything = history.followed(end, end)
    spend = _fit_spend(history.spending(end))
    candidates = {}
    for name in _FORMS if form == "best" else [form]:
        learned = fit_visits(before.histories, _FORMS[name])
        validation = validate(before.histories, before.came, learned.model, horizon, seed)
        candidates[name] = Candidate(learned, validation, fit_visits(everything.histories, _FORMS[name]))
    return ChurnFit(
        first=first.astimezone(UTC),
        until=end.astimezone(UTC),
        learned_until=learned_until.astimezone(UTC),
        horizon_days=horizon,
        candidates=candidates,
        best=min(candidates, key=lambda name: candidates[name].validation.brier.value),
        baseline=baseline(before.histories, before.came, seed),
        active=None if active is None else _validated(active, before, horizon, seed),
        spend=spend,
        inputs={name: profile(values) for name, values in inputs(everything.histories).items()},
    )


def _fit_spend(spent: Spending | None) -> SpendFit | None:
    """Return the model of amounts; visits are of use without it."""
    try:
        return None if spent is None else fit_spend(spent)
    except NotFitted as error:
        click.echo(f"Amounts are left out: {error}.", err=True)
        return None


def _validated(active: models.StoredModel, before: Followed, horizon: int, seed: int) -> tuple[str, Validation]:
    return active.version, validate(before.histories, before.came, counting_of(active), horizon, seed)


def _parameters(found: ChurnFit) -> dict[str, Any]:
    model = found.candidates[found.best].final.model
    return ChurnModel(
        version="",
        source="",
        r=model.r,
        alpha_days=model.alpha,
        a=model.a,
        b=model.b,
        leaves_after_first=model.leaves_after_first,
        horizon_days=found.horizon_days,
    ).parameters()


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
                "name": each.final.model.name,
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
        "inputs": {name: each._asdict() for name, each in found.inputs.items()},
    }


def _spend(fit: SpendFit) -> dict[str, Any]:
    return {
        "customers": fit.customers,
        "parameters": fit.model._asdict(),
        "errors": dict(zip(fit.model._fields, [_known(error) for error in fit.errors], strict=True)),
        "log_likelihood": fit.log_likelihood,
    }


def _fitted(fit: Fit, unit_days: int) -> dict[str, Any]:
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
    }


def _known(error: float) -> float | None:
    return None if np.isnan(error) else error


def _times(values: Sequence[float], by: Sequence[float]) -> list[float]:
    return [value * factor for value, factor in zip(values, by, strict=True)]
