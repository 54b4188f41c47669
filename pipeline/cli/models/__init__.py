"""`pipeline models`: the versions of models that scores are made with."""

from __future__ import annotations

from datetime import datetime

import click

from pipeline import settings
from pipeline.cli.formatting import moment
from pipeline.cli.models.check_report import print_check
from pipeline.cli.models.expected_report import print_expected
from pipeline.cli.models.report import print_churn
from pipeline.cli.models.satisfaction_report import print_satisfaction
from pipeline.cli.output import Column, print_json, print_table
from pipeline.cli.quarantine.places import SinceType
from pipeline.queries import models as stored
from pipeline.queries.connection import reading, writing
from pipeline.queries.models import StoredModel
from pipeline.scores.churn.model import ChurnModel
from pipeline.scores.registry import SCORES
from pipeline.scores.satisfaction.expected import ExpectedModel
from pipeline.scores.satisfaction.model import SatisfactionModel

_COLUMNS = (
    Column("model"), Column("version"), Column("active"), Column("since (UTC)"), Column("validated", right=True),
    Column("source", folds=True),
)  # fmt: skip

#: What --model takes → name of the model.
_CHECKED = {"churn_risk": ChurnModel.NAME, "satisfaction": SatisfactionModel.NAME, "expected": ExpectedModel.NAME}


@click.group()
def models() -> None:
    """List and show versions of models, and choose the one that scores are made with."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_models(as_json: bool) -> None:
    """List all versions, the oldest of each model first."""
    with reading(settings.load(needs=settings.READER).database_url) as connection:
        found = stored.models(connection)
    if as_json:
        print_json(found)
        return
    print_table(
        _COLUMNS,
        [
            [each.name, each.version, "yes" if each.active else "", moment(each.fitted_at), _loss(each), each.source]
            for each in found
        ],
    )


@models.command()
@click.argument("name")
@click.argument("version")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, version: str, as_json: bool) -> None:
    """Show a version: its parameters, and how it was fitted and validated."""
    with reading(settings.load(needs=settings.READER).database_url) as connection:
        found = stored.model(connection, name, version)
    if as_json:
        print_json(found)
        return
    click.echo(f"{found.name} {found.version}{' (active)' if found.active else ''}: {found.source}")
    print_table((Column("parameter"), Column("value")), [[key, f"{value}"] for key, value in found.parameters.items()])
    if found.fit is not None:
        click.echo()
        if found.name == ChurnModel.NAME:
            print_churn(found.fit, "week" if found.fit["unit_days"] == 7 else "day")
        elif found.name == ExpectedModel.NAME:
            print_expected(found.fit)
        else:
            print_satisfaction(found.fit)


@models.command()
@click.argument("name")
@click.argument("version")
@click.option("--worse", is_flag=True, help="Even if it has validated worse than the active version.")
def activate(name: str, version: str, worse: bool) -> None:
    """Make scores with a version. Workers take it up within seconds; scores follow with the next touchpoint.

    A version that validated worse (by Brier score) than the one that is active is refused without --worse. The version
    that was active before is activated again in the same way.
    """
    with writing(settings.load(needs=settings.READER).database_url) as connection:
        wanted = stored.model(connection, name, version)
        if wanted.active:
            click.echo(f"{name} {version} is active already.")
            return
        stored.activate(connection, name, version, even_if_worse=worse)
        connection.commit()
    is_live = name in {score.default_model.NAME for score in SCORES}
    click.echo(f"Active: {name} {version}.{' Workers take it up within seconds.' * is_live}")


@models.command()
@click.option(
    "--model", "name", type=click.Choice([*_CHECKED, *[each for each in _CHECKED.values() if each not in _CHECKED]]),
    metavar="MODEL",
    help="Only this one: churn_risk, satisfaction or expected, or as `pipeline models list` names it.  [default: all]",
)  # fmt: skip
@click.option(
    "--until", type=SinceType(), metavar="TIME",
    help="Leave out what came later.  [default: the last visit, and the last answer]",
)  # fmt: skip
@click.option("--named", is_flag=True, help="Of the churn model: only customers known by number.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(name: str | None, until: datetime | None, named: bool, seed: int, as_json: bool) -> None:
    """Check whether the active models still hold: what they foretold against what happened.

    churn_risk: who came within the horizon, foretold a horizon ago. satisfaction: the answers of the last horizon that
    came after the fit, of customers who had answered before. expected: contacts that were answered after the fit.

    Beside the figures of now stand those of the validation when the model was fitted. The population stability index
    says how far an input has moved from what it was fitted to: above 0.25 is much. Exit code 1 if a model does not
    hold: if it foretells no better than without a model (the base rate; for answers, worse than what the touchpoint
    usually gets by more than chance), worse than its validation by more than chance, or if an input has moved much.
    Models that can't be checked yet are named, with why; exit code 2 if none can be.
    """
    from pipeline.cli.models.checks import check_models  # fitting needs scipy

    names = list(_CHECKED.values()) if name is None else [_CHECKED.get(name, name)]
    with reading(settings.load(needs=settings.READER).database_url) as connection:
        checked = check_models(connection, names, until, named, seed)
    if as_json:
        print_json(checked)
    else:
        for number, each in enumerate(checked):
            if number:
                click.echo()
            print_check(each)
    if any(each.get("findings") for each in checked):
        click.get_current_context().exit(1)


def _loss(model: StoredModel) -> str:
    return "" if model.loss is None else f"{model.loss.name} {model.loss.value:.4f}"
