"""Where the parts of a Sankey diagram of ways stand: a column a station, bars as high as their journeys are many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.insight.ways import OUTSIDE, Edge

COLUMN_WIDTH, BAR_WIDTH, GAP, LEAST = 190.0, 12.0, 14.0, 1.0
#: Height of what all journeys come to, in pixels.
HEIGHT = 420.0


class Bar(NamedTuple):
    """A touchpoint at a station, or where ways begin or end. Pixels; `y` is its upper end."""

    station: int
    name: str
    journeys: int
    x: float
    y: float
    height: float


class Ribbon(NamedTuple):
    """An edge: from the right side of a bar to the left side of another one; the ys are its upper ends."""

    edge: Edge
    x_from: float
    y_from: float
    x_to: float
    y_to: float
    width: float


class Diagram(NamedTuple):
    """A diagram of so many pixels."""

    width: float
    height: float
    bars: Sequence[Bar]
    ribbons: Sequence[Ribbon]


def layout(edges: Sequence[Edge]) -> Diagram:
    """Return the diagram of edges; each needs a journey. Bars of a column do not overlap, nor do ribbons at a bar."""
    if not edges:
        return Diagram(0.0, 0.0, (), ())
    comes: dict[tuple[int, str], int] = defaultdict(int)
    goes: dict[tuple[int, str], int] = defaultdict(int)
    for edge in edges:
        goes[edge.station, edge.source] += edge.journeys
        comes[edge.station + 1, edge.target] += edge.journeys
    first = min(edge.station for edge in edges)
    scale = HEIGHT / max(_by_station(goes).values())
    journeys = {place: max(comes.get(place, 0), goes.get(place, 0)) for place in {*comes, *goes}}
    bars: dict[tuple[int, str], Bar] = {}
    bottom: dict[int, float] = defaultdict(float)
    for station, name in sorted(journeys, key=lambda place: (place[0], _rank(place[1]), -journeys[place], place[1])):
        height = max(LEAST, journeys[station, name] * scale)
        x = (station - first) * COLUMN_WIDTH
        bars[station, name] = Bar(station, name, journeys[station, name], x, bottom[station], height)
        bottom[station] += height + GAP
    ribbons = _ribbons(edges, bars, scale)
    width = max(bar.x for bar in bars.values()) + COLUMN_WIDTH
    return Diagram(width, max(bottom.values()) - GAP, tuple(bars.values()), ribbons)


def _rank(name: str) -> int:
    """Return what sorts touchpoints before what is none."""
    return OUTSIDE.index(name) + 1 if name in OUTSIDE else 0


def _by_station(counts: dict[tuple[int, str], int]) -> dict[int, int]:
    sums: dict[int, int] = defaultdict(int)
    for (station, _), count in counts.items():
        sums[station] += count
    return sums


def _ribbons(edges: Sequence[Edge], bars: dict[tuple[int, str], Bar], scale: float) -> list[Ribbon]:
    """Return ribbons; at each bar they are in the order of the bars at their other end, so that they cross little."""
    used_right: dict[tuple[int, str], float] = defaultdict(float)
    used_left: dict[tuple[int, str], float] = defaultdict(float)
    starts: dict[Edge, float] = {}
    for edge in sorted(edges, key=lambda each: bars[each.station + 1, each.target].y):
        starts[edge] = bars[edge.station, edge.source].y + used_right[edge.station, edge.source]
        used_right[edge.station, edge.source] += edge.journeys * scale
    made = []
    for edge in sorted(edges, key=lambda each: bars[each.station, each.source].y):
        source, target = bars[edge.station, edge.source], bars[edge.station + 1, edge.target]
        y = target.y + used_left[edge.station + 1, edge.target]
        used_left[edge.station + 1, edge.target] += edge.journeys * scale
        made.append(Ribbon(edge, source.x + BAR_WIDTH, starts[edge], target.x, y, edge.journeys * scale))
    return made
