"""`pipeline cases`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from pipeline import settings
from pipeline.cases.types import UNKNOWN, load
from pipeline.cli import formatting
from pipeline.cli import journeys as view
from pipeline.cli.customer_key import FORMS, find
from pipeline.cli.output import Cell, Column, print_json, print_table
from pipeline.cli.quarantine.places import SinceType
from pipeline.errors import InvalidInput
from pipeline.queries import cases as queries
from pipeline.queries.cases import Case, CaseDetails, CaseShare, StageTime
from pipeline.queries.connection import reading

STYLES = {"open": "yellow", "closed": "green"}
COLUMNS = (
    Column("customer"), Column("subject"), Column("type"), Column("status"), Column("opened"), Column("last"),
    Column("contacts", right=True), Column("stage"), Column("late", folds=True),
)  # fmt: skip
SHARE_COLUMNS = (
    Column("type"), Column("first channel"), Column("share"), Column("cases", right=True), Column("", right=True),
    Column("95 %"),
)  # fmt: skip
TIME_COLUMNS = (
    Column("type"), Column("from"), Column("to"), Column("cases", right=True), Column("median", right=True),
    Column("95 %"), Column("nine in ten", right=True),
)  # fmt: skip


def period(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a time in which cases were opened, of their type, and of JSON."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table."),
        click.option("--until", type=SinceType(), metavar="TIME", help="Only cases opened before then."),
        click.option("--since", type=SinceType(), metavar="TIME", help="Only cases opened from then on."),
        type_option,
    ):
        command = option(command)
    return command


type_option = click.option(
    "--type",
    "case_type",
    type=click.Choice([*[each.name for each in load().types], UNKNOWN]),
    help="Only cases of this type.",
)


@click.group()
def cases() -> None:
    """Show cases: orders, tickets, complaints and all else that a subject names, over all journeys."""


@cases.command("list")
@type_option
@click.option("--customer", metavar="KEY", help=f"Only this customer's. {FORMS}")
@click.option("--open", "is_open", is_flag=True, help="Only those that are open as of now.")
@click.option("--late", "is_late", is_flag=True, help="Only those that are late, or were; the latest first.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Maximum number of rows.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def list_cases(
    case_type: str | None, customer: str | None, is_open: bool, is_late: bool, limit: int, as_json: bool
) -> None:
    """List cases as of now, those with the latest touchpoint first."""
    at = datetime.now(UTC)
    with reading(settings.load(needs=settings.READER).database_url) as connection:
        name = None if customer is None else find(connection, customer)
        found = queries.cases(
            connection, at, type=case_type, customer=name, is_open=is_open, is_late=is_late, limit=limit
        )
    if as_json:
        print_json(found)
    elif found:
        print_table(COLUMNS, rows(found))
    else:
        click.echo("There is no such case.")


@cases.command()
@click.argument("customer")
@click.argument("subject")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(customer: str, subject: str, as_json: bool) -> None:
    """Show a case of a customer: its touchpoints, and the journeys that it went through."""
    with reading(settings.load(needs=settings.READER).database_url) as connection:
        name = find(connection, customer)
        found = queries.case(connection, datetime.now(UTC), name, subject)
    if found is None:
        raise InvalidInput(
            f"{formatting.printable(name)} has no case {formatting.printable(subject)!r}. `pipeline cases list "
            "--customer KEY` lists a customer's cases."
        )
    if as_json:
        print_json({**found.case._asdict(), "steps": found.steps, "journeys": found.journeys})
        return
    for line in summary(found):
        click.echo(line)
    print_table(view.COLUMNS, [view.cells(each) for each in view.lines(found.steps)], header=False, indent=2)


@cases.command()
@period
@click.option("--by-channel", is_flag=True, help="By the channel of the first touchpoint, too.")
@click.option("--stages", "of_stages", is_flag=True, help="The share of cases that reached each stage.")
def shares(
    case_type: str | None, since: datetime | None, until: datetime | None, as_json: bool, by_channel: bool,
    of_stages: bool,
) -> None:  # fmt: skip
    """Show how many cases were resolved at the first contact, reopened, and done by when it was promised.

    Of cases that were closed once: resolved at the first contact is one contact of the customer, nobody else, and never
    taken up again. With --stages: the share of cases that reached each stage, such as of sales that were bought. Each
    share has its 95 % interval.
    """
    with reading(settings.load(needs=settings.READER).database_url) as connection:
        if of_stages:
            found = queries.stage_shares(connection, since, until)
        else:
            found = queries.shares(connection, datetime.now(UTC), since, until)
    found = [each for each in found if case_type in (None, each.type) and (by_channel or each.channel is None)]
    _print(found, SHARE_COLUMNS, [share_cells(each) for each in found], as_json)


@cases.command()
@period
def times(case_type: str | None, since: datetime | None, until: datetime | None, as_json: bool) -> None:
    """Show how long cases took from each stage to the next: the median with its 95 % interval, and nine in ten."""
    with reading(settings.load(needs=settings.READER).database_url) as connection:
        found = [each for each in queries.stage_times(connection, since, until) if case_type in (None, each.type)]
    _print(found, TIME_COLUMNS, [time_cells(each) for each in found], as_json)


def _print(found: Sequence[Any], columns: Sequence[Column], table: list[list[str | Cell]], as_json: bool) -> None:
    if as_json:
        print_json(found)
    elif found:
        print_table(columns, table)
    else:
        click.echo("There is no such case.")


def rows(found: Sequence[Case]) -> list[list[str | Cell]]:
    """Return the cells of COLUMNS."""
    return [
        [
            each.customer,
            each.subject,
            each.type,
            Cell(each.status, STYLES.get(each.status, "")),
            _moment(each.opened_at),
            _moment(each.last_at),
            f"{each.contacts:,}",
            each.stages[-1]["stage"] if each.stages else "",
            lateness(each),
        ]
        for each in found
    ]


def lateness(case: Case) -> str:
    """Return by how much a case was late or early; when it is due where that is still to come."""
    if case.late_ms is not None:
        return f"{'late' if case.late_ms > 0 else 'early'} by {formatting.span(abs(case.late_ms))}"
    return f"due {_moment(case.due_at)}" if case.due_at else ""


def summary(details: CaseDetails) -> list[str]:
    """Return what is known of a case on the whole, in lines."""
    case = details.case
    said = [
        formatting.plural(case.contacts, "contact") + " by the customer",
        *([f"{case.repeats:,} of them repeated"] if case.repeats else []),
        *([formatting.plural(case.hand_overs, "hand-over")] if case.hand_overs else []),
        *([f"reopened {formatting.plural(case.reopened, 'time')}"] if case.reopened else []),
        *([f"waited {formatting.span(case.wait_ms)}"] if case.waits else []),
        *([f"satisfaction {case.satisfaction:.0f} of 100"] if case.satisfaction is not None else []),
    ]
    channels = ", ".join(f"{channel} {count}" for channel, count in case.channels.items())
    lines = [
        formatting.printable(f"{case.customer}  {case.subject}: {case.type}, {case.status}"),
        f"  {_moment(case.opened_at)} to {_moment(case.last_at)} UTC; "
        f"{formatting.plural(case.touchpoints, 'touchpoint')}: {channels} (revision {case.revision})",
        f"  {', '.join(said)}",
    ]
    if told := lateness(case):
        lines.append(f"  {told}")
    if case.stages:
        lines.append("  stages: " + ", ".join(each["stage"] for each in case.stages))
    if details.journeys:
        lines.append(f"  went through {formatting.plural(len(details.journeys), 'journey')}")
    return lines


def share_cells(each: CaseShare) -> list[str | Cell]:
    """Return the cells of SHARE_COLUMNS."""
    return [
        each.type,
        each.channel or "all",
        each.measure,
        f"{each.n:,} of {each.cases:,}",
        f"{each.share * 100:.1f} %",
        f"{each.low * 100:.1f}–{each.high * 100:.1f} %",
    ]


def time_cells(each: StageTime) -> list[str | Cell]:
    """Return the cells of TIME_COLUMNS."""
    median, low, high, p90 = [
        formatting.span(span.total_seconds() * 1000) for span in (each.median, each.low, each.high, each.p90)
    ]
    return [each.type, each.stage, each.next_stage, f"{each.cases:,}", median, f"{low} – {high}", p90]


def _moment(at: datetime | None) -> str:
    return "" if at is None else formatting.moment(at, seconds=False)
