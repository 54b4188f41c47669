"""`pipeline coverage`."""

from __future__ import annotations

from datetime import datetime

import click

from pipeline import settings
from pipeline.cli import formatting
from pipeline.cli.output import Cell, Column, print_json, print_table
from pipeline.cli.period import TouchpointType, check_period, period_options, print_list
from pipeline.cli.progress import progress
from pipeline.queries.connection import reading
from pipeline.queries.coverage import Asked, TouchpointCoverage, contacts_of
from pipeline.queries.coverage import coverage as read
from pipeline.queries.steps import Wanted
from pipeline.scores.satisfaction.share import satisfied_share

_COLUMNS = (
    Column("touchpoint"), Column("contacts", right=True), Column("asked", right=True), Column("reached", right=True),
    Column("answered", right=True), Column("of asked", right=True), Column("95 %", right=True),
    Column("needed", right=True), Column("of these", right=True), Column("to ask", right=True),
)  # fmt: skip
NOTE = (
    "Needed: answers for an interval of ± 5 points about the share satisfied; of these: for the contacts of the period "
    "alone. To ask: how many more, if as many of them answer as now."
)


@click.command()
@period_options("journeys that began")
@click.option("--limit", type=click.IntRange(1), help="Maximum number of rows.  [default: all]")
@click.option(
    "--journeys", "listed", type=TouchpointType(), metavar="TOUCHPOINT",
    help="Print the contacts of a touchpoint with their journeys, and what became of asking, instead.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def coverage(
    since: datetime | None, until: datetime | None, limit: int | None, listed: Wanted | None, as_json: bool
) -> None:
    """Show about which touchpoints customers are asked, reached and answer; those never asked about come first.

    An asking (survey_sent) is about the last contact before it of a touchpoint that answers are about. Reached is what
    is known: where the channel reports deliveries or openings, and of those who answered.
    """
    check_period(since, until)
    with reading(settings.load(needs=settings.READER).database_url) as connection:
        if listed is not None:
            rows = contacts_of(connection, listed, since=since, until=until)
            print_list(Asked._fields, rows, as_json=as_json)
            return
        with progress("Reading journeys", None) as shown:
            found = read(connection, since=since, until=until, progress=shown)
    touchpoints = found.touchpoints[:limit]
    if as_json:
        print_json({"touchpoints": touchpoints, "unplaced": found.unplaced, "note": NOTE})
        return
    if not touchpoints:
        click.echo("No contacts here.", err=True)
        return
    print_table(_COLUMNS, [_row(each) for each in touchpoints])
    click.echo(f"\n{NOTE}")
    if found.unplaced:
        followed = "follows" if found.unplaced == 1 else "follow"
        click.echo(f"{formatting.plural(found.unplaced, 'asking')} {followed} no contact that answers are about.")


def _row(one: TouchpointCoverage) -> list[str | Cell]:
    contacts, asked, reached, answered = one.covered
    share = satisfied_share(answered, asked)
    return [
        one.touchpoint,
        f"{contacts:,}",
        f"{asked:,}" if asked else Cell("never", "yellow"),
        f"{reached:,}" if asked else "",
        f"{answered:,}" if asked else "",
        "" if share is None else formatting.share(share.share),
        "" if share is None else formatting.interval(share.low, share.high),
        f"{one.needed.answers:,}",
        f"{one.needed.of_contacts:,}",
        "" if one.needed.to_ask is None else f"{one.needed.to_ask:,}",
    ]
