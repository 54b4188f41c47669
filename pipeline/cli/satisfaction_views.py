"""`pipeline satisfaction --weighted` and `--expected`, and what they have in common with the plain one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import click
from sqlalchemy import Connection

from pipeline.cli.output import Cell, Column, print_json, print_table
from pipeline.cli.progress import progress
from pipeline.queries.expected import ExpectedOfTouchpoint, expected_by_touchpoint, expected_model
from pipeline.queries.feedback import GROUPS
from pipeline.queries.responses import WeightedAnswers, weighted
from pipeline.scores.satisfaction.figures import Interval
from pipeline.scores.satisfaction.weighting import ASSUMPTION, CAP

_READING = "Reading journeys"


def show_weighted(
    connection: Connection,
    by: str,
    instrument: str | None,
    since: datetime | None,
    until: datetime | None,
    as_json: bool,
) -> None:
    """Print figures raw and weighted, with the responses by touchpoint and outcome, and what is assumed."""
    with progress(_READING, None) as shown:
        found = weighted(connection, by=by, instrument=instrument, since=since, until=until, progress=shown)
    columns = GROUPS[by]
    if as_json:
        responses = [
            {"touchpoint": touchpoint, "outcome": outcome, **response._asdict()}
            for touchpoint, outcome, response in found.responses
        ]
        print_json(
            {
                "assumption": ASSUMPTION,
                "cap": CAP,
                "figures": [_weighted_record(each, columns) for each in found.figures],
                "responses": responses,
            }
        )
        return
    if not found.figures:
        click.echo("No answers here.", err=True)
        return
    numbers = ("answers", "raw", "95 %", "weighted", "95 %", "worth")
    print_table(
        [*[Column(name) for name in ("instrument", *columns)], *[Column(name, right=True) for name in numbers]],
        [_weighted_row(each) for each in found.figures],
    )
    click.echo("\nWho answers")
    print_table(
        [
            Column("touchpoint"),
            Column("outcome"),
            *[Column(name, right=True) for name in ("contacts", "asked", "answered")],
        ],
        [
            [touchpoint, outcome, *[f"{number:,}" for number in response]]
            for touchpoint, outcome, response in found.responses
        ],
    )
    click.echo(f"\n{ASSUMPTION} The weighted answers are worth as many as stand under worth, of equal weight.")


def show_expected(connection: Connection, since: datetime | None, until: datetime | None, as_json: bool) -> None:
    """Print what is expected of contacts that nobody answered. Raises InvalidInput if no model can tell."""
    model = expected_model(connection)
    with progress(_READING, None) as shown:
        found = expected_by_touchpoint(connection, model, since=since, until=until, progress=shown)
    if as_json:
        print_json({"model": f"{model.NAME} {model.version}", "touchpoints": found})
        return
    if not found:
        click.echo("No contacts here.", err=True)
        return
    names = ("answered", "mean answer", "expected of these", "not answered", "expected")
    print_table(
        [Column("touchpoint"), *[Column(name, right=True) for name in names]], [_expected_row(e) for e in found]
    )
    click.echo(
        f"\nExpected: what {model.NAME} {model.version} expects by waits, failures and the like, 0 to 100. "
        "It is no answer."
    )


def standard_cells(instrument: str, figure: Interval | None) -> list[str]:
    """Return an instrument's standard figure and its interval as cells."""
    if figure is None:
        return ["", ""]

    def written(value: float) -> str:
        return f"{value:+.0f}" if instrument == "nps" else f"{value:.0%}"

    return [written(figure.value), interval_text(figure, written)]


def interval_text(interval: Interval, written: Callable[[float], str]) -> str:
    """Return the ends of an interval; nothing if the answers tell nothing of it."""
    if interval.low is None or interval.high is None:
        return ""
    return f"{written(interval.low)} to {written(interval.high)}"


def _weighted_row(one: WeightedAnswers) -> list[str | Cell]:
    return [
        one.instrument,
        *one.group,
        f"{one.answers:,}",
        *standard_cells(one.instrument, one.raw),
        *standard_cells(one.instrument, one.weighted),
        f"{one.effective:,.0f}",
    ]


def _weighted_record(one: WeightedAnswers, columns: tuple[str, ...]) -> dict[str, object]:
    return {
        "instrument": one.instrument,
        **dict(zip(columns, one.group, strict=True)),
        "answers": one.answers,
        "raw": None if one.raw is None else one.raw._asdict(),
        "weighted": None if one.weighted is None else one.weighted._asdict(),
        "effective_answers": one.effective,
    }


def _expected_row(one: ExpectedOfTouchpoint) -> list[str | Cell]:
    return [
        one.touchpoint,
        f"{one.answered:,}",
        _points(one.mean),
        _points(one.expected_of_answered),
        f"{one.silent:,}",
        _points(one.expected),
    ]


def _points(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"
