"""The ways of journeys, station by station: what comes into a touchpoint goes on from there, or ends there.

A way is the touchpoints of a journey in order, where the same one several times in a row counts as one. Each journey is
at one touchpoint at a station, so whatever is counted adds up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable
from typing import NamedTuple

#: Where a way comes from before its first station that is shown, and where it goes after the last one. A touchpoint
#: has a slash in its name, so that none is called like that.
START, EARLIER, END, LATER = "start", "earlier", "end", "later"
#: Touchpoints that are not shown one by one.
OTHER = "other"
#: What comes last where things are listed.
OUTSIDE = (OTHER, EARLIER, START, LATER, END)


class Edge(NamedTuple):
    """Journeys that went from `source`, at `station`, to `target`, at the next one.

    `median_ms` is the median time from the last of `source` to the first of `target`, in milliseconds; None where
    either is no touchpoint, or stands for several.
    """

    station: int
    source: str
    target: str
    journeys: int
    median_ms: int | None


class Node(NamedTuple):
    """A touchpoint at a station: how many journeys were there, and how many of them ended there.

    `later` went on beyond the last station that is shown. journeys = ended + later + those of edges to touchpoints.
    """

    station: int
    touchpoint: str
    journeys: int
    ended: int
    later: int

    @property
    def drop_off(self) -> float:
        """Return the share (0 to 1) that ended there."""
        return self.ended / self.journeys


def simplified(edges: Iterable[Edge], most: int, kept: Container[str] = ()) -> list[Edge]:
    """Return edges between the `most` touchpoints with the most journeys and those of `kept`; all others are `OTHER`.

    The largest edges of each station come first.
    """
    edges = list(edges)
    volume: Counter[str] = Counter()
    for edge in edges:
        volume[edge.target] += edge.journeys
    named = [name for name, _ in sorted(volume.items(), key=lambda item: (-item[1], item[0])) if name not in OUTSIDE]
    shown = {*named[:most], *OUTSIDE, *[name for name in named if name in kept]}
    joined: dict[tuple[int, str, str], list[Edge]] = {}
    for edge in edges:
        ends = [name if name in shown else OTHER for name in (edge.source, edge.target)]
        joined.setdefault((edge.station, ends[0], ends[1]), []).append(edge)
    made = [
        Edge(*place, sum(each.journeys for each in some), None if OTHER in place else some[0].median_ms)
        for place, some in joined.items()
    ]
    return sorted(made, key=lambda edge: (edge.station, -edge.journeys, edge.source, edge.target))


def nodes(edges: Iterable[Edge]) -> list[Node]:
    """Return the touchpoints at each station, those with the most journeys first."""
    came: Counter[tuple[int, str]] = Counter()
    left: dict[str, Counter[tuple[int, str]]] = {END: Counter(), LATER: Counter()}
    for edge in edges:
        if edge.target in left:
            left[edge.target][edge.station, edge.source] += edge.journeys
        else:
            came[edge.station + 1, edge.target] += edge.journeys
    made = [Node(*place, count, left[END][place], left[LATER][place]) for place, count in came.items()]
    return sorted(made, key=lambda node: (node.station, -node.journeys, node.touchpoint))
