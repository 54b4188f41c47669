"""`pipeline satisfaction`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from pipeline import settings
from pipeline.cli.output import Cell, Column, print_json, print_table
from pipeline.cli.quarantine.places import SinceType
from pipeline.cli.satisfaction_views import interval_text, show_expected, show_weighted, standard_cells
from pipeline.queries.connection import reading
from pipeline.queries.feedback import GROUPS, PERIODS, Answered, answered
from pipeline.scales import SCALES
from pipeline.scores.satisfaction.figures import STANDARD


@click.command()
@click.option("--instrument", type=click.Choice(list(SCALES)), help="Only answers on this one.")
@click.option(
    "--by", type=click.Choice(list(GROUPS)), default="touchpoint", show_default=True, help="What to divide by."
)
@click.option("--every", type=click.Choice(list(PERIODS)), help="A figure for each day, week or 28 days, in UTC.")
@click.option("--since", type=SinceType(), metavar="TIME", help="Only answers from then on.")
@click.option("--until", type=SinceType(), metavar="TIME", help="Only answers before then.")
@click.option("--weighted", "is_weighted", is_flag=True, help="Beside it, weighted by who answers; reads all journeys.")
@click.option("--expected", "is_expected", is_flag=True, help="What those are expected to think who did not answer.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def satisfaction(
    instrument: str | None,
    by: str,
    every: str | None,
    since: datetime | None,
    until: datetime | None,
    is_weighted: bool,
    is_expected: bool,
    as_json: bool,
) -> None:
    """Show what customers answered: the standard figure of each instrument, with its 95 % interval.

    CSAT is the share of 4 and 5, NPS promoters less detractors, CES the share of 5 to 7, stars the share of 4 and 5
    stars, sentiment the share of positive answers among those that are not neutral. The mean is on the instrument's own
    scale. Instruments are never mixed. A figure is about those who answered.

    With --weighted, each figure stands beside one in which an answer counts for as many contacts as it stands for, by
    the share of its touchpoint and outcome that answered. With --expected it shows by touchpoint what a fitted model
    (`pipeline fit satisfaction --expected`) expects of contacts that nobody answered, 0 to 100, beside the answers.
    """
    if since is not None and until is not None and since >= until:
        raise click.UsageError("--since is not before --until, so there is no answer between them.")
    if every and (is_weighted or is_expected):
        raise click.UsageError("--every goes with neither --weighted nor --expected; use --since and --until.")
    if is_expected and (is_weighted or instrument is not None or by != "touchpoint"):
        raise click.UsageError("--expected is by touchpoint, over all instruments.")
    with reading(settings.load(needs=settings.READER).database_url) as connection:
        if is_expected:
            show_expected(connection, since, until, as_json)
            return
        if is_weighted:
            show_weighted(connection, by, instrument, since, until, as_json)
            return
        found = answered(connection, by=by, every=every, instrument=instrument, since=since, until=until)
    if as_json:
        print_json([_record(each, GROUPS[by]) for each in found])
        return
    if not found:
        click.echo("No answers here.", err=True)
        return
    shown = ["from"] if every else []
    columns = [Column(name) for name in ["instrument", *shown, *GROUPS[by]]]
    numbers = [Column(name, right=True) for name in ("answers", "figure", "95 %", "mean", "95 %")]
    print_table([*columns, *numbers], [_row(each, every is not None) for each in found])
    known = sorted({each.instrument for each in found}, key=list(SCALES).index)
    click.echo("\n" + "; ".join(f"{name}: {STANDARD[name]}" for name in known))


def _row(one: Answered, by_time: bool) -> list[str | Cell]:
    begins = [f"{one.begins:%Y-%m-%d}"] if by_time and one.begins is not None else []
    standard, mean = one.figures
    return [
        one.instrument,
        *begins,
        *one.group,
        f"{one.answers:,}",
        *standard_cells(one.instrument, standard),
        f"{mean.value:.2f}",
        interval_text(mean, lambda value: f"{value:.2f}"),
    ]


def _record(one: Answered, columns: Sequence[str]) -> dict[str, Any]:
    standard, mean = one.figures
    return {
        "instrument": one.instrument,
        "begins": None if one.begins is None else one.begins.isoformat(),
        **dict(zip(columns, one.group, strict=True)),
        "answers": one.answers,
        "figure": None if standard is None else standard._asdict(),
        "mean": mean._asdict(),
    }
