"""`pipeline quarantine list`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from pipeline import settings
from pipeline.cli import formatting
from pipeline.cli.output import Cell, Column, print_json, print_table
from pipeline.cli.quarantine.places import SinceType, reason_option
from pipeline.contract.reject import REASONS
from pipeline.queries.connection import reading
from pipeline.queries.quarantine import STATUSES, Count, Entry, Selection, counts, entries
from pipeline.topics import TOUCHPOINTS

STATUS_STYLES = {"new": "yellow", "replayed": "green", "discarded": "dim"}
COLUMNS = (
    Column("record"),
    Column("refused (UTC)"),
    Column("reason"),
    Column("status"),
    Column("bytes", right=True),
    Column("detail", folds=True),
)
COUNT_COLUMNS = (
    Column("reason"),
    Column("new", right=True),
    Column("replayed", right=True),
    Column("discarded", right=True),
    Column("last (UTC)"),
    Column("meaning", folds=True),
)


@click.command("list")
@reason_option("Only those refused for this reason; can be repeated.")
@click.option("--status", type=click.Choice([*STATUSES, "any"]), default="new", show_default=True)
@click.option(
    "--since", type=SinceType(), help="Only those refused since this time: RFC 3339, or an age such as 30m, 12h, 7d."
)
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Maximum number of rows.")
@click.option("--summary", is_flag=True, help="Show counts by reason.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def list_(
    reasons: tuple[str, ...], status: str, since: datetime | None, limit: int, summary: bool, as_json: bool
) -> None:
    """List refused records, the last refused first."""
    statuses = () if status == "any" else (status,)
    selection = Selection(reasons=reasons, statuses=statuses, since=since)
    with reading(settings.load(needs=settings.READER).database_url) as connection:
        totals = counts(connection, selection)
        listed = [] if summary else entries(connection, selection, limit)
    if as_json:
        print_json([_count(one) for one in totals] if summary else [plain(one) for one in listed])
        return
    if not totals:
        state = "" if status == "any" else f" that {'is' if status == 'new' else 'was'} {status}"
        click.echo(f"No record in quarantine{state}.", err=True)
        return
    if summary:
        print_table(COUNT_COLUMNS, count_rows(totals))
        return
    print_table(COLUMNS, rows(listed))
    total = sum(one.new + one.replayed + one.discarded for one in totals)
    if total > len(listed):
        click.echo(f"\n{len(listed):,} of {total:,}; --limit shows more, --summary counts them by reason")


def rows(listed: Sequence[Entry]) -> list[list[str | Cell]]:
    """Return the cells of COLUMNS."""
    return [
        [
            str(one.place),
            formatting.moment(one.rejected_at),
            one.reason,
            Cell(one.status, STATUS_STYLES[one.status]),
            "" if one.size is None else f"{one.size:,}",
            one.detail,
        ]
        for one in listed
    ]


def count_rows(totals: Sequence[Count]) -> list[list[str | Cell]]:
    """Return the cells of COUNT_COLUMNS."""
    return [
        [
            one.reason,
            f"{one.new:,}",
            f"{one.replayed:,}",
            f"{one.discarded:,}",
            formatting.moment(one.last_at),
            REASONS.get(one.reason, ""),
        ]
        for one in totals
    ]


def plain(one: Entry) -> dict[str, Any]:
    """Return an entry as JSON has it."""
    return {
        "id": str(one.place),
        "topic": TOUCHPOINTS,
        "partition": one.place.partition,
        "offset": one.place.offset,
        "reason": one.reason,
        "detail": one.detail,
        "status": one.status,
        "bytes": one.size,
        "appended_at": one.appended_at,
        "rejected_at": one.rejected_at,
        "settled_at": one.settled_at,
    }


def _count(one: Count) -> dict[str, Any]:
    return {**one._asdict(), "meaning": REASONS.get(one.reason, "")}
