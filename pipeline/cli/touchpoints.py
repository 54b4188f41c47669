"""`pipeline touchpoints`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from pipeline import settings
from pipeline.cli import formatting
from pipeline.cli.output import Cell, Column, print_json, print_table
from pipeline.queries.connection import reading
from pipeline.queries.touchpoints import HURT, SORTS, TouchpointView
from pipeline.queries.touchpoints import touchpoints as read
from pipeline.touchpoint import CHANNELS, STAGES

COLUMNS = (
    Column("stage"),
    Column("channel"),
    Column("kind"),
    Column("volume", right=True),
    Column("satisfied", right=True),
    Column("95 %", right=True),
    Column("answers", right=True),
    Column("failed", right=True),
    Column("given up", right=True),
    Column("mean wait", right=True),
    Column("bad ≥", right=True),
)
#: From this share on, a column is coloured.
_STRIKING = 0.2
UNCATALOGUED = "*"


@click.command()
@click.option("--sort", type=click.Choice(list(SORTS)), default="hurt", show_default=True, help="Order of the list.")
@click.option("--stage", type=click.Choice([*STAGES, "unknown"]), help="Only this stage.")
@click.option("--channel", type=click.Choice(CHANNELS), help="Only this channel.")
@click.option("--limit", type=click.IntRange(1), help="Maximum number of rows.  [default: all]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def touchpoints(sort: str, stage: str | None, channel: str | None, limit: int | None, as_json: bool) -> None:
    """Show every touchpoint and how well it works for customers; what hurts most comes first.

    Satisfied is the share of the answers that judge the touchpoint, with its 95 % interval. What hurts is volume × the
    largest of the shares not satisfied, failed and given up, each at the lower end of its 95 % interval: so many of
    its events went badly at the least, and few events can't come first by chance. The sorts by satisfaction, failed and
    abandoned are as careful.
    """
    with reading(settings.load(needs=settings.READER).database_url) as connection:
        shown = read(connection, sort=sort, stage=stage, channel=channel, limit=limit)
    if as_json:
        print_json(shown)
        return
    if not shown:
        click.echo("No touchpoints here yet: has `pipeline worker` processed some?", err=True)
        return
    print_table(COLUMNS, rows(shown))
    if sort == "hurt":
        click.echo(f"\nbad ≥: {HURT}")
    if any(not one.catalogued for one in shown):
        click.echo(f"\n{UNCATALOGUED} not in the catalogue (schemas/catalogue.toml)")


def rows(shown: Sequence[TouchpointView]) -> list[list[str | Cell]]:
    """Return the cells of COLUMNS."""
    return [
        [
            one.stage,
            one.channel,
            one.kind if one.catalogued else Cell(f"{one.kind} {UNCATALOGUED}", "yellow"),
            f"{one.events:,}",
            Cell(formatting.share(one.score), "red" if one.high is not None and one.high < 0.5 else ""),
            formatting.interval(one.low, one.high),
            f"{one.answers:,}" if one.answers else "",
            _striking(one.failures, one.failed_share),
            _striking(one.abandoned, one.abandoned_share),
            "" if one.wait_ms_mean is None else formatting.span(one.wait_ms_mean),
            f"{one.hurt:,.0f}" if one.hurt >= 1 else "",
        ]
        for one in shown
    ]


def _striking(count: int, share: float) -> Cell:
    return Cell(formatting.share(share) if count else "", "red" if share >= _STRIKING else "")
