"""Flow is conserved: what goes into a touchpoint goes on or ends there, however ways are put together and drawn."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from pipeline.insight import svg
from pipeline.insight.sankey import HEIGHT, layout
from pipeline.insight.ways import EARLIER, END, LATER, OTHER, START, Edge, nodes, simplified

NAMES = ("web/a", "web/b", "call_centre/c", "email/d", "branch/e")
WAYS = st.dictionaries(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6).map(tuple), st.integers(1, 500))
SVG = "{http://www.w3.org/2000/svg}"


def edges_of(ways: Mapping[Sequence[str], int], stations: int = 4) -> list[Edge]:
    """The edges of ways up to a station; times are not looked at here."""
    counts: Counter[tuple[int, str, str]] = Counter()
    for way, journeys in ways.items():
        shown = [START, *way[:stations], END if len(way) <= stations else LATER]
        for station, (source, target) in enumerate(itertools.pairwise(shown)):
            counts[station, source, target] += journeys
    return [Edge(*place, count, 1_000) for place, count in counts.items()]


@given(ways=WAYS, most=st.integers(1, 5))
def test_what_goes_into_a_touchpoint_goes_on_or_ends_there(ways: Mapping[Sequence[str], int], most: int) -> None:
    edges = simplified(edges_of(ways), most, kept={"email/d"})
    came = sum(edge.journeys for edge in edges if edge.source == START)
    assert came == sum(ways.values()) == sum(edge.journeys for edge in edges if edge.target in (END, LATER))
    for node in nodes(edges):
        place = (node.station, node.touchpoint)
        into = sum(edge.journeys for edge in edges if (edge.station + 1, edge.target) == place)
        out = sum(edge.journeys for edge in edges if (edge.station, edge.source) == place)
        on = sum(
            edge.journeys for edge in edges if (edge.station, edge.source) == place and edge.target not in (END, LATER)
        )
        assert node.journeys == into == out == on + node.ended + node.later
        assert 0 <= node.drop_off <= 1
    for station in range(1, 5):
        there = sum(node.journeys for node in nodes(edges) if node.station == station)
        assert there == sum(journeys for way, journeys in ways.items() if len(way) >= station)


@given(ways=WAYS, most=st.integers(1, 5))
def test_a_simplified_map_has_the_largest_touchpoints_and_those_that_are_kept(
    ways: Mapping[Sequence[str], int], most: int
) -> None:
    every = edges_of(ways)
    shown = {edge.target for edge in simplified(every, most, kept={"email/d"})} - {OTHER, END, LATER}
    volume = Counter(dict.fromkeys(NAMES, 0))
    for edge in every:
        if edge.target in NAMES:
            volume[edge.target] += edge.journeys
    assert len(shown - {"email/d"}) <= most
    assert ("email/d" in shown) == (volume["email/d"] > 0)
    left = {name for name in NAMES if volume[name]} - shown
    assert all(volume[name] <= volume[each] for name in left for each in shown - {"email/d"})
    assert simplified(every, len(NAMES)) == sorted(every, key=lambda e: (e.station, -e.journeys, e.source, e.target))


def test_times_are_known_only_of_edges_between_single_touchpoints() -> None:
    begin = Edge(0, START, "web/a", 6, None)
    edges = [
        begin,
        Edge(1, "web/a", "web/b", 3, 70),
        Edge(1, "web/a", "email/d", 2, 50),
        Edge(1, "web/a", END, 1, None),
    ]
    assert simplified(edges, 3) == edges
    assert simplified(edges, 2) == [*edges[:2], Edge(1, "web/a", OTHER, 2, None), edges[3]]
    assert simplified(edges, 1) == [begin, Edge(1, "web/a", OTHER, 5, None), edges[3]]


@given(ways=WAYS)
def test_bars_and_ribbons_do_not_overlap_and_ribbons_fill_their_bars(ways: Mapping[Sequence[str], int]) -> None:
    diagram = layout(edges_of(ways))
    columns: dict[float, list[tuple[float, float]]] = {}
    for bar in diagram.bars:
        columns.setdefault(bar.x, []).append((bar.y, bar.y + bar.height))
        assert bar.y >= 0 and bar.y + bar.height <= diagram.height + 1e-6
        assert 0 <= bar.x < diagram.width
    for spans in columns.values():
        spans.sort()
        assert all(one[1] < other[0] for one, other in itertools.pairwise(spans))
    bars = {(bar.station, bar.name): bar for bar in diagram.bars}
    for (station, name), bar in bars.items():
        ribbons = [each for each in diagram.ribbons if (each.edge.station, each.edge.source) == (station, name)]
        ends = sorted((each.y_from, each.y_from + each.width) for each in ribbons)
        assert all(one[1] <= other[0] + 1e-6 for one, other in itertools.pairwise(ends))
        assert not ends or (ends[0][0] == bar.y and ends[-1][1] <= bar.y + bar.height + 1e-6)
    assert sum(each.width for each in diagram.ribbons if each.edge.source == START) <= HEIGHT + 1e-6


def test_nothing_has_an_empty_diagram() -> None:
    assert layout([]) == (0.0, 0.0, (), ())
    assert nodes([]) == []


def test_a_picture_is_well_formed_whatever_names_hold() -> None:
    evil = "web/<script>&\x1b\ufffe\"'"
    edges = [Edge(0, START, evil, 90, None), Edge(1, evil, END, 1, None), Edge(1, evil, "web/" + "x" * 60, 89, 5)]
    text = svg.write(layout(edges), 'a "title" & <more>', "said")
    root = ET.fromstring(text)
    assert root.find(f"{SVG}title").text == 'a "title" & <more>'  # type: ignore[union-attr]
    names = ["".join(each.itertext()) for each in root.iter(f"{SVG}text")]
    assert any("<script>&" in name for name in names)
    assert any(name.startswith("web/xxxx") and "…" in name for name in names)
    assert "\x1b" not in text and "<script" not in text
    assert "prefers-color-scheme: dark" in text
    shown = [each.text for each in root.iter(f"{SVG}title")]
    assert f"{START} to web/<script>&��\"': 90" in shown


def test_a_low_bar_has_its_name_under_the_pointer_only() -> None:
    edges = [Edge(0, START, "web/a", 1_000, None), Edge(0, START, "web/b", 1, None), Edge(0, EARLIER, "web/a", 9, None)]
    root = ET.fromstring(svg.write(layout(edges), "t", "d"))
    assert "web/b" not in "".join("".join(each.itertext()) for each in root.iter(f"{SVG}text"))
    assert "web/b: 1" in [each.text for each in root.iter(f"{SVG}title")]
