"""`pipeline fit satisfaction`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection

from pipeline.cli.fit.answer_file import read_answers
from pipeline.cli.fit.answered_contacts import read_contacts
from pipeline.cli.fit.expected_learning import learn_expected
from pipeline.cli.fit.given_answers import given_answers
from pipeline.cli.fit.opened import opened
from pipeline.cli.fit.options import period_options, result_options
from pipeline.cli.fit.satisfaction_learning import learn
from pipeline.cli.fit.storing import refuse_dry_activation, store
from pipeline.cli.models.expected_report import print_expected
from pipeline.cli.models.satisfaction_report import print_satisfaction
from pipeline.cli.output import print_json
from pipeline.errors import InvalidInput
from pipeline.fitting.maximum import NotFitted
from pipeline.fitting.satisfaction import Answers
from pipeline.queries import models
from pipeline.scores.satisfaction.expected import ExpectedModel
from pipeline.scores.satisfaction.model import SatisfactionModel


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
@period_options(
    last="answer", default_horizon=90, horizon="Validation foretells the answers of so many days before the end."
)
@click.option(
    "--half-life", type=_HalfLife(), metavar="DAYS|best",
    help="After which an answer counts half.  [default: that of the active version]",
)  # fmt: skip
@click.option(
    "--answers", "file", type=click.Path(dir_okay=False, exists=True, path_type=Path), metavar="FILE",
    help="Answers from a CSV file with the columns customer, at, instrument, score and perhaps about.",
)  # fmt: skip
@click.option(
    "--expected", "is_expected", is_flag=True,
    help="Fit instead what contacts that nobody answered are expected to get, by waits, failures and the like.",
)  # fmt: skip
@result_options(default_version="the date of --until")
def satisfaction(
    until: datetime | None,
    horizon: int,
    half_life: float | str | None,
    file: Path | None,
    is_expected: bool,
    version: str | None,
    dry_run: bool,
    activate: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Fit the satisfaction model on answers: what is usual by touchpoint, how far answers scatter, how long they count.

    First it learns from the answers up to a horizon before the end, and foretells those after that, of customers who
    had answered before. The mean error and the rank correlation stand beside those of the prior alone, of the last
    answer, of what the touchpoint usually gets, and of the active version. Then it learns from everything.

    With --expected it learns from contacts that were answered what those that nobody answered are expected to get, as a
    model of its own, and foretells later answers beside what the touchpoint usually gets.
    """
    refuse_dry_activation(dry_run, activate)
    if is_expected and (file is not None or half_life is not None):
        raise click.UsageError("--expected learns from journeys in the tables, and nothing in it has a half-life.")
    name = ExpectedModel.NAME if is_expected else SatisfactionModel.NAME
    with opened(file, dry_run) as connection:
        active = None if connection is None else models.active_model(connection, name)
        try:
            if is_expected:
                assert connection is not None
                report = learn_expected(*read_contacts(connection, until), until, horizon, active, seed)
            else:
                answers = read_answers(file) if file is not None else _answers(connection, until)
                report = learn(answers, until, horizon, half_life, active, seed)
        except NotFitted as error:
            raise InvalidInput(f"The model can't be fitted: {error}. It needs more answers.") from None
        stored = version or report["until"][:10]
        source = f"pipeline fit satisfaction{' --expected' * is_expected}, on answers until {report['until']}"
        said = store(connection, name, stored, source, report["parameters"], report, dry_run=dry_run, activate=activate)
    if as_json:
        print_json(report)
        return
    (print_expected if is_expected else print_satisfaction)(report)
    click.echo(said)


def _answers(connection: Connection | None, until: datetime | None) -> Answers:
    assert connection is not None
    answers = given_answers(connection, until)
    if answers is None:
        raise InvalidInput("The tables hold no answers yet.")
    return answers
