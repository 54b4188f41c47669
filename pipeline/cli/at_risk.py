"""`pipeline at-risk`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from pipeline import settings
from pipeline.cli import formatting
from pipeline.cli.output import Cell, Column, print_json, print_table
from pipeline.queries.at_risk import SORTS, AtRisk, bands
from pipeline.queries.at_risk import at_risk as read
from pipeline.queries.connection import reading

BANDS = ("high", "medium", "low")
STYLES = {"high": "red", "medium": "yellow", "low": "green"}
COLUMNS = (
    Column("customer"),
    Column("risk"),
    Column("visits", right=True),
    Column("last visit"),
    Column("satisf.", right=True),
    Column("why", folds=True),
)
#: Comes before the last column where it was fitted what customers spend.
VALUE = Column("value at risk", right=True)


@click.command("at-risk")
@click.option("--band", type=click.Choice(BANDS), multiple=True, help="Only this band.  [default: high and medium]")
@click.option("--named", is_flag=True, help="Only customers known by number, not by a cookie or an address.")
@click.option(
    "--sort", "--by", type=click.Choice(list(SORTS)), default="losing", show_default=True,
    help="Order of the list; `value` is what they would spend within the horizon, times their risk.",
)  # fmt: skip
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Maximum number of rows.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def at_risk(band: tuple[str, ...], named: bool, sort: str, limit: int, as_json: bool) -> None:
    """Show the customers at risk as of now, and why; those that the company is about to lose come first.

    About to be lost are those who came often, whose silence has raised the risk by much, and who may still be there:
    visits × what silence has added to the risk since the last visit × the chance that they still come. Visitors of one
    day have little to lose, the long silent are lost already, and both come late; closed accounts come last.
    """
    at = datetime.now(UTC)
    with reading(settings.load(needs=settings.READER).database_url) as connection:
        customers = read(connection, at, bands=band or BANDS[:2], named=named, sort=sort, limit=limit)
        counts = bands(connection, at)
    if as_json:
        print_json(customers)
        return
    if customers:
        print_table(*table(customers, at))
        click.echo()
    click.echo(f"{summary(counts)}, as of {formatting.moment(at)} UTC")


def rows(customers: Sequence[AtRisk], now: datetime) -> list[list[str | Cell]]:
    """Return the cells of COLUMNS."""
    return [
        [
            one.customer,
            Cell(f"{formatting.share(one.probability):>5} {one.band}", STYLES[one.band]),
            f"{one.visits:,}",
            formatting.ago(one.last_active_at, now),
            "" if one.satisfaction is None else f"{one.satisfaction:.0f}",
            "; ".join(reason.text for reason in one.reasons),
        ]
        for one in customers
    ]


def table(customers: Sequence[AtRisk], now: datetime) -> tuple[Sequence[Column], list[list[str | Cell]]]:
    """Return columns and cells, with the value at risk where any is known."""
    cells = rows(customers, now)
    if all(one.value_at_risk is None for one in customers):
        return COLUMNS, cells
    for one, row in zip(customers, cells, strict=True):
        known = one.value_at_risk
        row.insert(-1, "" if known is None else formatting.amount(round(known), one.currency))
    return (*COLUMNS[:-1], VALUE, COLUMNS[-1]), cells


def summary(counts: dict[str, int]) -> str:
    """Return how many customers there are in each band."""
    return f"{formatting.plural(sum(counts.values()), 'customer')}: " + ", ".join(
        f"{counts[band]:,} at {band} risk" for band in BANDS
    )
