"""`pipeline funnel`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import click

from pipeline import settings
from pipeline.cli import formatting
from pipeline.cli.age import AgeType
from pipeline.cli.output import Column, print_json, print_table
from pipeline.cli.period import PeriodType, TouchpointType, check_period, period_options, print_list
from pipeline.insight.shares import difference
from pipeline.journey import policy
from pipeline.queries.connection import reading
from pipeline.queries.funnel import GROUPS, Attempt, Funnel, Reached, Went
from pipeline.queries.steps import Wanted, meanings
from pipeline.scores.satisfaction.share import Share, satisfied_share

#: Number of touchpoints that are shown of those where customers went.
_WENT = 3
_MOST = 10
_COLUMNS = (
    Column("step"), Column("customers", right=True), Column("of the step before", right=True),
    Column("95 %", right=True), Column("of the first", right=True), Column("95 %", right=True),
    Column("median time", right=True), Column("may go on", right=True), Column("the others went to", folds=True),
)  # fmt: skip
_COMPARED = (
    Column("step"), Column("of the first", right=True), Column("then", right=True), Column("difference", right=True),
    Column("95 %", right=True),
)  # fmt: skip
NOTE = (
    "Each customer counts once, with the attempt that came furthest. May go on: the time from their last beginning is "
    "not over. Shares with Wilson's interval."
)
_INDEPENDENT = "The interval takes the customers of both periods for different ones."


class Stage(NamedTuple):
    """A step of a group's funnel: its customers as shares (0 to 1) of those of the step before, and of the first.

    Shares of the first step are None, and all are where nobody came to what they are of. `median_ms` is the time from
    the step before. `went` is where those went who came no further, the most first.
    """

    step: int
    touchpoint: str
    customers: int
    of_before: Share | None
    of_first: Share | None
    median_ms: int | None
    may_go_on: int
    went: Sequence[Went]


@click.command()
@click.argument("steps", nargs=-1, required=True, type=TouchpointType(), metavar="STEP STEP…")
@click.option(
    "--within", type=AgeType(), default="7d", show_default=True, metavar="TIME",
    help="From the first step to the last one.",
)  # fmt: skip
@click.option(
    "--by", type=click.Choice(list(GROUPS)), default="all", show_default=True,
    help="Divide by the first channel of the journey in which it began.",
)  # fmt: skip
@period_options("attempts that began")
@click.option("--compare", type=PeriodType(), metavar="PERIOD", help="Beside attempts of another one, as 56d..28d.")
@click.option(
    "--journeys", "listed", type=click.IntRange(1), metavar="NUMBER",
    help="Print who came to the step with that number instead, with the journey in which they came furthest.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def funnel(
    steps: tuple[Wanted, ...],
    within: timedelta,
    by: str,
    since: datetime | None,
    until: datetime | None,
    compare: tuple[datetime, datetime] | None,
    listed: int | None,
    as_json: bool,
) -> None:
    """Show how many customers come from step to step, in this order and within a time, and where the others went.

    A step is KIND or CHANNEL/KIND, such as checkout_started or web/purchase. Other touchpoints may lie between steps,
    and steps may be in different journeys of the customer.
    """
    check_period(since, until)
    if not 2 <= len(steps) <= _MOST:
        raise click.UsageError(f"A funnel has 2 to {_MOST} steps.")
    if listed is not None and listed > len(steps):
        raise click.UsageError(f"--journeys takes the number of a step, 1 to {len(steps)}.")
    configuration, now = settings.load(needs=settings.READER), datetime.now(UTC)
    with reading(configuration.database_url) as connection:
        known = meanings(connection, policy.read(configuration.policy_file))
        found = Funnel(connection, steps, known, now, within=within, since=since, until=until)
        if listed is not None:
            print_list(Attempt._fields, found.attempts(listed), as_json=as_json)
            return
        groups = stages(steps, found.reached(by), found.went(by))
        before = {}
        if compare is not None:
            then = Funnel(connection, steps, known, now, within=within, since=compare[0], until=compare[1])
            before = stages(steps, then.reached(by), [])
    if as_json:
        period = None if compare is None else {"since": compare[0], "until": compare[1]}
        print_json(
            {
                "within_seconds": within.total_seconds(), "groups": _records(groups), "compared_period": period,
                "compared": _records(before), "note": NOTE,
            }
        )  # fmt: skip
        return
    if not groups:
        click.echo(f"Nobody came to {steps[0]} here.", err=True)
        return
    heading = [Column("came by")] if by != "all" else []
    rows = [[*[group][: len(heading)], *_row(stage)] for group, made in groups.items() for stage in made]
    print_table([*heading, *_COLUMNS], rows)
    if compare is not None:
        click.echo(f"\nBeside {' to '.join([formatting.moment(each, seconds=False) for each in compare])} UTC")
        print_table(
            [*heading, *_COMPARED],
            [
                [*[group][: len(heading)], *_compared(stage, earlier)]
                for group, made in groups.items()
                for stage, earlier in zip(made[1:], before.get(group, made)[1:], strict=True)
                if group in before
            ],
        )
        click.echo(_INDEPENDENT)
    click.echo(f"\nWithin {formatting.span(within.total_seconds() * 1000)}. {NOTE}")


def stages(steps: Sequence[Wanted], reached: Sequence[Reached], went: Sequence[Went]) -> dict[str, list[Stage]]:
    """Return the stages of each group, those to which nobody came included; the largest group first."""
    by_place = {(each.group, each.step): each for each in reached}
    first = {each.group: each.customers for each in reached if each.step == 1}
    made: dict[str, list[Stage]] = {}
    for group in sorted(first, key=lambda each: (-first[each], each)):
        before = first[group]
        for number, step in enumerate(steps, 1):
            here = by_place.get((group, number), Reached(group, number, 0, None, 0))
            others = [each for each in went if (each.group, each.step) == (group, number)]
            is_first = number == 1
            made.setdefault(group, []).append(
                Stage(
                    number,
                    str(step),
                    here.customers,
                    None if is_first else satisfied_share(here.customers, before),
                    None if is_first else satisfied_share(here.customers, first[group]),
                    here.median_ms,
                    here.may_go_on,
                    others,
                )
            )
            before = here.customers
    return made


def _records(groups: dict[str, list[Stage]]) -> list[dict[str, object]]:
    return [
        {
            "group": group,
            "steps": [
                {**stage._asdict(), "went": [each._asdict() | {"group": group} for each in stage.went]}
                for stage in made
            ],
        }
        for group, made in groups.items()
    ]


def _row(stage: Stage) -> list[str]:
    stopped = sum(each.customers for each in stage.went)
    went = [
        f"{formatting.share(each.customers / stopped)} {each.touchpoint or 'nothing more'}"
        for each in stage.went[:_WENT]
    ]
    return [
        f"{stage.step} {stage.touchpoint}",
        f"{stage.customers:,}",
        *_share(stage.of_before),
        *_share(stage.of_first),
        "" if stage.median_ms is None else formatting.span(stage.median_ms),
        f"{stage.may_go_on:,}" if stage.may_go_on else "",
        ", ".join(went),
    ]


def _share(share: Share | None) -> list[str]:
    return ["", ""] if share is None else [formatting.share(share.share), formatting.interval(share.low, share.high)]


def _compared(now: Stage, then: Stage) -> list[str]:
    name = f"{now.step} {now.touchpoint}"
    if now.of_first is None or then.of_first is None:
        return [name, *[""] * 4]
    apart, low, high = [100 * each for each in difference(now.of_first, then.of_first)]
    shares = [formatting.share(each.of_first.share) for each in (now, then) if each.of_first is not None]
    return [name, *shares, f"{apart:+.1f} points", f"{low:+.1f} to {high:+.1f}"]
