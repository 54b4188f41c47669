"""`pipeline fit satisfaction`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import numpy as np
from sqlalchemy import Connection

from pipeline.cli.fit.answer_file import answers_of, read_answers
from pipeline.cli.fit.opened import opened
from pipeline.cli.models.satisfaction_report import print_satisfaction
from pipeline.cli.output import print_json
from pipeline.cli.progress import progress
from pipeline.cli.quarantine.places import SinceType
from pipeline.errors import InvalidInput
from pipeline.fitting.maximum import NotFitted
from pipeline.fitting.satisfaction import (
    Answers,
    Prior,
    Validation,
    choose_half_life,
    fit_prior,
    foretell,
    last_answers,
    usual_answers,
    validate,
)
from pipeline.queries import models
from pipeline.queries.feedback import answers_of_customers
from pipeline.scales import millipoints
from pipeline.scores.satisfaction.model import DEFAULT, SatisfactionModel

_DAY_S = 86_400


class _HalfLife(click.ParamType):
    name = "days"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | str:
        if value == "best":
            return "best"
        try:
            days = float(value)
        except ValueError:
            days = 0.0
        if not 1 <= days <= 36_500:
            self.fail(f"{value!r} is neither best nor a number of days from 1 to 36,500.", param, ctx)
        return days


@click.command()
@click.option(
    "--until", type=SinceType(), metavar="TIME", help="Leave out what came later.  [default: the last answer]"
)
@click.option(
    "--horizon", type=click.IntRange(1, 3650), default=90, show_default=True, metavar="DAYS",
    help="Validation foretells the answers of so many days before the end.",
)  # fmt: skip
@click.option(
    "--half-life", type=_HalfLife(), metavar="DAYS|best",
    help="After which an answer counts half.  [default: that of the active version]",
)  # fmt: skip
@click.option(
    "--answers", "file", type=click.Path(dir_okay=False, exists=True, path_type=Path), metavar="FILE",
    help="Answers from a CSV file with the columns customer, at, instrument, score and perhaps about.",
)  # fmt: skip
@click.option("--version", help="Name of the new version.  [default: the date of --until]")
@click.option("--dry-run", is_flag=True, help="Store nothing.")
@click.option("--activate", is_flag=True, help="Make scores with it, if it validates no worse than the active version.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def satisfaction(
    until: datetime | None,
    horizon: int,
    half_life: float | str | None,
    file: Path | None,
    version: str | None,
    dry_run: bool,
    activate: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Fit the satisfaction model on answers: the prior, how far answers scatter, and for how long they count.

    First it learns from the answers up to a horizon before the end, and foretells those after that, of customers who
    had answered before. The mean error and the rank correlation stand beside those of the prior alone, of the last
    answer, of what the touchpoint usually gets, and of the active version. Then it learns from everything.
    """
    if dry_run and activate:
        raise click.UsageError("--dry-run stores nothing that could be activated.")
    with opened(file, dry_run) as connection:
        active = None if connection is None else models.active_model(connection, SatisfactionModel.NAME)
        answers = read_answers(file) if file is not None else _answers(connection, until)
        try:
            report = _learn(answers, until, horizon, half_life, active, seed)
        except NotFitted as error:
            raise InvalidInput(f"The model can't be fitted: {error}. It needs more answers.") from None
        stored = version or report["until"][:10]
        if connection is not None and not dry_run:
            connection.rollback()
            source = f"pipeline fit satisfaction, on answers until {report['until']}"
            models.save(connection, SatisfactionModel.NAME, stored, source, report["parameters"], report)
            if activate:
                models.activate(connection, SatisfactionModel.NAME, stored)
            connection.commit()
    if as_json:
        print_json(report)
        return
    print_satisfaction(report)
    if dry_run or connection is None:
        click.echo("Nothing was stored.")
    else:
        state = "active" if activate else f"not active; see `pipeline models activate satisfaction {stored}`"
        click.echo(f"Stored as satisfaction {stored}, {state}.")


def _answers(connection: Connection | None, until: datetime | None) -> Answers:
    assert connection is not None
    customers: dict[str, int] = {}
    touchpoints: dict[str, int] = {}
    rows = []
    with progress("Reading answers", None) as shown:
        for customer, at, instrument, score, about in answers_of_customers(connection, until, shown):
            rows.append(
                (
                    customers.setdefault(customer, len(customers)),
                    at.timestamp() / _DAY_S,
                    millipoints(instrument, score) / 1000,
                    touchpoints.setdefault(about, len(touchpoints)),
                )
            )
    if not rows:
        raise InvalidInput("The tables hold no answers yet.")
    return answers_of(rows)


def _learn(
    answers: Answers,
    until: datetime | None,
    horizon: int,
    half_life: float | str | None,
    active: models.StoredModel | None,
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
    prior = fit_prior(learned)
    best = choose_half_life(learned, prior)
    wanted = known.half_life_days if half_life is None else half_life
    days = best if isinstance(wanted, str) else wanted
    expected = foretell(answers, prior, days)
    asked = ~is_learned & ~np.isnan(expected)
    if not asked.any():
        raise InvalidInput(
            f"Nobody who had answered before did so again in the {horizon} days before {_date(end)}: nothing can be "
            "foretold."
        )
    later = answers.where(asked)

    def validated(predicted: Any) -> dict[str, Any]:
        return _validation(validate(np.asarray(predicted), later.scores, later.customers, seed))

    by_active = foretell(answers, Prior(known.prior_mean, known.prior_weight, known.answer_sd), known.half_life_days)
    final = fit_prior(answers)
    return {
        "first": _moment(first),
        "until": _moment(end),
        "learned_until": _moment(end - horizon),
        "answers": len(answers.days),
        "customers": len(np.unique(answers.customers)),
        "foretold": int(asked.sum()),
        "best_half_life_days": best,
        "parameters": {
            "half_life_days": days,
            "prior_mean": final.mean,
            "prior_weight": final.weight,
            "answer_sd": final.sd,
        },
        "validation": validated(expected[asked]),
        "active": None if active is None else {"version": active.version, "validation": validated(by_active[asked])},
        "prior": validated(np.full(int(asked.sum()), prior.mean)),
        "last": validated(last_answers(answers)[asked]),
        "usual": validated(usual_answers(learned, later, prior.mean)),
    }


def _validation(found: Validation) -> dict[str, Any]:
    return {
        name: {end: None if np.isnan(value) else value for end, value in figure._asdict().items()}
        for name, figure in found._asdict().items()
    }


def _moment(days: float) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=days)).isoformat(timespec="seconds")


def _date(days: float) -> str:
    return _moment(days)[:10]
