"""`pipeline map`: the ways that customers take."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import click

from pipeline import settings
from pipeline.cli import formatting
from pipeline.cli.output import Column, print_json, print_table
from pipeline.cli.period import TouchpointType, check_period, period_options, print_list
from pipeline.errors import InvalidInput
from pipeline.insight import svg
from pipeline.insight.sankey import layout
from pipeline.insight.ways import EARLIER, END, LATER, OTHER, START, Edge, Node, nodes, simplified
from pipeline.queries.connection import reading
from pipeline.queries.journey_map import Behind, JourneyMap
from pipeline.queries.steps import Wanted
from pipeline.scores.satisfaction.share import satisfied_share

#: Number of edges of a station that the table shows.
_SHOWN = 8
_NODES = (
    Column("station", right=True), Column("touchpoint"), Column("journeys", right=True),
    Column("ended there", right=True), Column("95 %", right=True), Column("went on beyond", right=True),
)  # fmt: skip
_EDGES = (
    Column("station", right=True), Column("from"), Column("to"), Column("journeys", right=True),
    Column("of from", right=True), Column("median time", right=True),
)  # fmt: skip
_PLACE = re.compile(r"(-?\d{1,3}):([^>]+)(?:>(.+))?", re.ASCII)
NOTE = (
    "A journey is at one touchpoint at a station; the same one several times in a row counts once. Times are from the "
    "last of one to the first of the next."
)


class Place(NamedTuple):
    """A touchpoint at a station, or an edge from there."""

    station: int
    source: str
    target: str | None


class PlaceType(click.ParamType):
    """The parameter type STATION:TOUCHPOINT or STATION:TOUCHPOINT>TOUCHPOINT."""

    name = "place"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        """Read a place."""
        if isinstance(value, Place):
            return value
        match = _PLACE.fullmatch(str(value))
        if match is None:
            self.fail(f"{value!r} is not STATION:TOUCHPOINT, as 0:web/purchase or '0:web/purchase>{END}'", param, ctx)
        return Place(int(match[1]), match[2], match[3])


@click.group()
def map() -> None:
    """Show which ways customers take."""


@map.command()
@click.option("--after", type=TouchpointType(), help="Ways from the first touchpoint of this kind on.")
@click.option("--before", type=TouchpointType(), help="Ways up to the first touchpoint of this kind.")
@period_options("journeys that began")
@click.option(
    "--stations", type=click.IntRange(1, 50), default=4, show_default=True,
    help="How many touchpoints of each way, apart from the one that it begins or ends with.",
)  # fmt: skip
@click.option(
    "--touchpoints", "most", type=click.IntRange(1, 100), default=8, show_default=True,
    help="How many touchpoints, those with the most journeys, are shown one by one.",
)  # fmt: skip
@click.option("--svg", "file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Draw it.")
@click.option(
    "--journeys", "listed", type=PlaceType(), metavar="PLACE",
    help="Print the journeys at a place of the map instead, STATION:TOUCHPOINT or STATION:TOUCHPOINT>TOUCHPOINT.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def journey(
    after: Wanted | None,
    before: Wanted | None,
    since: datetime | None,
    until: datetime | None,
    stations: int,
    most: int,
    file: Path | None,
    listed: Place | None,
    as_json: bool,
) -> None:
    """Show the ways of journeys, touchpoint by touchpoint: how many went where, how long it took, where they ended.

    Without --after and --before, from the first touchpoint on. With both, from the one to the next of the other. What
    goes into a touchpoint goes on or ends there, so all numbers add up.
    """
    check_period(since, until)
    with reading(settings.load(needs=settings.READER).database_url) as connection:
        found = JourneyMap(connection, after=after, before=before, stations=stations, since=since, until=until)
        if listed is not None:
            if OTHER in (listed.source, listed.target):
                raise InvalidInput(
                    f"{OTHER} stands for several touchpoints; show them with --touchpoints, and name one."
                )
            print_list(Behind._fields, found.behind(*listed), as_json=as_json)
            return
        every = found.edges()
    anchors = [each for each in (after, before) if each is not None]
    kept = {edge.target for edge in every if any(anchor.is_of(edge.target) for anchor in anchors)}
    edges = simplified(every, most, kept)
    points = nodes(edges)
    total = sum(edge.journeys for edge in edges if edge.source in (START, EARLIER))
    if file is not None:
        said = (
            f"{formatting.plural(total, 'journey')}; the height of a bar is their number. Made by pipeline map journey."
        )
        _write(file, svg.write(layout(edges), _title(after, before), said))
    if as_json:
        print_json({"journeys": total, "nodes": points, "edges": edges, "note": NOTE})
        return
    if not edges:
        click.echo("No journeys here.", err=True)
        return
    print_table(_NODES, [_node_row(node) for node in points])
    click.echo()
    print_table(_EDGES, _edge_rows(edges, points))
    click.echo(f"\n{_title(after, before)}: {formatting.plural(total, 'journey')}. {NOTE}")


def _title(after: Wanted | None, before: Wanted | None) -> str:
    if after is not None and before is not None:
        return f"From {after} to {before}"
    if after is not None:
        return f"After {after}"
    return "From the first touchpoint on" if before is None else f"Before {before}"


def _write(file: Path, document: str) -> None:
    try:
        file.write_text(document, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{file} can't be written: {error.strerror}") from None


def _node_row(node: Node) -> list[str]:
    share = satisfied_share(node.ended, node.journeys)
    return [
        f"{node.station}",
        node.touchpoint,
        f"{node.journeys:,}",
        formatting.share(node.drop_off),
        "" if share is None else formatting.interval(share.low, share.high),
        f"{node.later:,}" if node.later else "",
    ]


def _edge_rows(edges: Sequence[Edge], points: Sequence[Node]) -> list[list[str]]:
    """Return the largest edges between touchpoints of each station, and how many are not shown."""
    volume = {(node.station, node.touchpoint): node.journeys for node in points}
    between = [edge for edge in edges if edge.source not in (START, EARLIER) and edge.target not in (END, LATER)]
    rows = []
    for station, group in groupby(between, key=lambda edge: edge.station):
        some = list(group)
        for edge in some[:_SHOWN]:
            of_source = edge.journeys / volume[station, edge.source]
            time = "" if edge.median_ms is None else formatting.span(edge.median_ms)
            rows.append(
                [f"{station}", edge.source, edge.target, f"{edge.journeys:,}", formatting.share(of_source), time]
            )
        if rest := some[_SHOWN:]:
            left = sum(edge.journeys for edge in rest)
            rows.append([f"{station}", f"{formatting.plural(len(rest), 'more way')}", "", f"{left:,}", "", ""])
    return rows
