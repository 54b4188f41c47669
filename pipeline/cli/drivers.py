"""`pipeline drivers`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple

import click
import numpy as np
from sqlalchemy import Connection

from pipeline import settings
from pipeline.cli import formatting
from pipeline.cli.output import Column, print_json, print_table
from pipeline.cli.period import DESCRIPTIVE, TouchpointType, check_period, period_options, print_list
from pipeline.cli.progress import progress
from pipeline.insight.cross_products import CrossProducts
from pipeline.insight.importance import relative_weights, shapley
from pipeline.insight.intervals import with_interval
from pipeline.insight.removal import Removal, Transitions
from pipeline.journey import policy
from pipeline.queries import drivers as known_drivers
from pipeline.queries.connection import reading
from pipeline.queries.drivers import Case, answered_journeys, customers_who_may_leave
from pipeline.queries.steps import Wanted, meanings
from pipeline.queries.ways import GROUPS, converting_ways, journeys_of_ways, stations

#: Number of rows that are added up at once.
_PORTION = 2_000
#: Largest number of touchpoints whose removal is looked at one by one: those with the most events.
_MOST = 100
_SATISFACTION, _LEAVING, _CONVERSION = "satisfaction", "leaving", "conversion"
_COLUMNS = (
    Column("driver"), Column("correlation", right=True), Column("relative weight", right=True),
    Column("95 %", right=True), Column("Shapley R²", right=True), Column("95 %", right=True),
)  # fmt: skip
_EFFECT_COLUMNS = (Column("without"), Column("removal effect", right=True), Column("95 %", right=True))
_REMOVAL = (
    "Removal effect: the share of conversions that would be lost if whoever comes there were lost, by a Markov chain "
    "of first order."
)


class Driver(NamedTuple):
    """A driver: its correlation with the outcome, and its parts of R², each with the ends of its 95 % interval."""

    driver: str
    correlation: float
    weight: float
    weight_low: float
    weight_high: float
    shapley: float
    shapley_low: float
    shapley_high: float


class Found(NamedTuple):
    """Holds the number of cases, the outcome's mean and R² with the ends of its interval (None: no cases).

    `constant` are drivers that were the same for all.
    """

    cases: int
    mean: float | None
    r_squared: tuple[float, float, float] | None
    drivers: Sequence[Driver]
    constant: Sequence[str]


@click.command()
@click.argument(
    "of", type=click.Choice([_SATISFACTION, _LEAVING, _CONVERSION]), default=_SATISFACTION,
    metavar=f"[{_SATISFACTION}|{_LEAVING}|{_CONVERSION}]",
)  # fmt: skip
@period_options("journeys that began")
@click.option(
    "--horizon", type=click.IntRange(1, 3650), default=30, show_default=True, metavar="DAYS",
    help="Of leaving: for how long nothing before --until (now) counts as having left.",
)  # fmt: skip
@click.option("--to", "goal", type=TouchpointType(), default="purchase", show_default=True, help="The conversion.")
@click.option(
    "--by", type=click.Choice(list(GROUPS)), default="touchpoint", show_default=True, help="What is left out in turn."
)
@click.option("--samples", type=click.IntRange(20, 2000), default=400, show_default=True, help="Of the bootstrap.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the bootstrap.")
@click.option("--journeys", "listed", is_flag=True, help="Print the journeys or customers that it rests on instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def drivers(
    of: str,
    since: datetime | None,
    until: datetime | None,
    horizon: int,
    goal: Wanted,
    by: str,
    samples: int,
    seed: int,
    listed: bool,
    as_json: bool,
) -> None:
    """Show what goes with satisfaction, with leaving, or with a conversion.

    Satisfaction: of journeys with an answer, how much of what the answers (0 to 100) differ is explained by waits,
    failures and the like before it. Leaving: of customers with activity before the last --horizon days, who had none
    since. The explained share (R²) is divided between drivers in two ways that take into account that drivers go
    together: relative weights (Johnson 2000), and Shapley values (Lindeman, Merenda and Gold 1980). Conversion: which
    share of conversions would be lost without a touchpoint or channel (removal effect, Anderl et al. 2016).

    All of it is descriptive, and no proof of a cause.
    """
    check_period(since, until)
    configuration = settings.load(needs=settings.READER)
    with reading(configuration.database_url) as connection:
        if of == _CONVERSION:
            _show_removal(connection, goal, by, since, until, samples, seed, listed, as_json)
            return
        names = list(known_drivers.SATISFACTION if of == _SATISFACTION else known_drivers.LEAVING)
        known = meanings(connection, policy.read(configuration.policy_file))
        with progress("Reading journeys", None) as shown:
            cases = (
                answered_journeys(connection, known, since=since, until=until, progress=shown)
                if of == _SATISFACTION
                else customers_who_may_leave(
                    connection, known, since=since, until=until or datetime.now(UTC), horizon=timedelta(days=horizon),
                    progress=shown,
                )
            )  # fmt: skip
            if listed:
                print_list(
                    ["journey", "customer", of, *names],
                    ((case.journey_id, case.customer, case.outcome, *case.drivers) for case in cases),
                    as_json=as_json,
                )
                return
            found = summed(cases, names, samples, seed)
    if as_json:
        print_json({"of": of, **found._asdict(), "note": DESCRIPTIVE})
        return
    if found.r_squared is None or found.mean is None:
        click.echo("No journeys with an answer here." if of == _SATISFACTION else "No customers here.", err=True)
        return
    print_table(_COLUMNS, [_row(each) for each in found.drivers])
    click.echo(f"\n{_summary(of, found, horizon)}")
    if found.constant:
        click.echo(f"The same for all, so they explain nothing here: {', '.join(found.constant)}.")
    click.echo(f"{known_drivers.UNITS}\n{DESCRIPTIVE}")


def summed(cases: Iterator[Case], names: Sequence[str], samples: int, seed: int) -> Found:
    """Return what drivers go with the outcome; the weightiest first."""
    sums = CrossProducts(len(names) + 1, samples, seed)
    while portion := list(islice(cases, _PORTION)):
        sums.add(np.array([[*case.drivers, case.outcome] for case in portion]))
    if not sums.rows:
        return Found(0, None, None, [], [])
    mean = float(sums.means()[-1])
    varying = sums.varying()
    places = np.flatnonzero(varying[:-1])
    constant = [name for name, varies in zip(names, varying, strict=False) if not varies]
    if not varying[-1] or not len(places):
        return Found(sums.rows, mean, (0.0, 0.0, 0.0), [], constant)
    correlations = sums.correlations(np.append(places, len(names)))
    weights, values = relative_weights(correlations), shapley(correlations)
    whole = values.sum(axis=1)
    made = [
        Driver(
            names[place],
            float(correlations[0, number, -1]),
            *with_interval(weights[:, number]),
            *with_interval(values[:, number]),
        )
        for number, place in enumerate(places.tolist())
    ]
    return Found(
        sums.rows, mean, with_interval(whole), sorted(made, key=lambda each: (-each.weight, each.driver)), constant
    )


def _summary(of: str, found: Found, horizon: int) -> str:
    assert found.r_squared is not None and found.mean is not None
    share, low, high = found.r_squared
    who = (
        f"{formatting.plural(found.cases, 'journey')} with an answer, {found.mean:.0f} of 100 in the mean."
        if of == _SATISFACTION
        else f"{formatting.plural(found.cases, 'customer')}, of whom {formatting.share(found.mean)} had no activity in "
        f"the last {formatting.plural(horizon, 'day')}."
    )
    by_chance = (1 - share) / max(found.cases - 1, 1)
    return (
        f"{who} Together the drivers explain {share * 100:.1f} % of how it differs ({formatting.interval(low, high)}); "
        f"one of pure chance would add about {by_chance:.4f}."
    )


def _row(one: Driver) -> list[str]:
    return [
        one.driver,
        f"{one.correlation:+.2f}",
        f"{one.weight:.4f}",
        f"{one.weight_low:.4f} to {one.weight_high:.4f}",
        f"{one.shapley:.4f}",
        f"{one.shapley_low:.4f} to {one.shapley_high:.4f}",
    ]


def _show_removal(
    connection: Connection,
    goal: Wanted,
    by: str,
    since: datetime | None,
    until: datetime | None,
    samples: int,
    seed: int,
    listed: bool,
    as_json: bool,
) -> None:
    period = {"since": since, "until": until}
    if listed:
        rows = journeys_of_ways(connection, goal, by=by, **period)
        print_list(["journey", "customer", "converted", "way"], rows, as_json=as_json)
        return
    known = Transitions(stations(connection, _MOST, by=by), samples, seed)
    count = 0
    with progress("Reading journeys", None) as shown:
        for way in converting_ways(connection, goal, by=by, progress=shown, **period):
            known.add(way.stations, way.is_converted, way.journeys)
            count += way.journeys
    found = known.removal()
    if as_json:
        records = [dict(zip((by, "effect", "low", "high"), each, strict=True)) for each in found.effects]
        print_json({"of": _CONVERSION, "to": str(goal), "journeys": count, "converting": found.converting,
                    "effects": records, "note": DESCRIPTIVE})  # fmt: skip
        return
    if not found.effects:
        click.echo(f"No journey here came to {goal}.", err=True)
        return
    print_table(
        _EFFECT_COLUMNS,
        [[name, f"{effect:.3f}", f"{low:.3f} to {high:.3f}"] for name, effect, low, high in found.effects],
    )
    click.echo(f"\n{_counted(count, found, goal)}\n{_REMOVAL}\n{DESCRIPTIVE}")


def _counted(count: int, found: Removal, goal: Wanted) -> str:
    return f"{formatting.plural(count, 'journey')}, of which {found.converting * 100:.1f} % came to {goal}."
