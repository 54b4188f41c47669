"""Transitions and funnel of the file of a web shop, by its own sessions and customers, and what the tables say."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from statistics import median_low

from datasets import dataset
from sqlalchemy import Connection

from pipeline.insight.ways import END, START
from pipeline.journey import policy
from pipeline.queries.funnel import Funnel
from pipeline.queries.journey_map import JourneyMap
from pipeline.queries.steps import Wanted, meanings

Row = tuple[datetime, int, str]


def rows(column: str) -> dict[str, list[Row]]:
    """When, the line's number, and what, by session or customer and in order."""
    grouped: dict[str, list[Row]] = {}
    with gzip.open(dataset("retentioneering_ecom", "ecom.csv.gz"), "rt", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines)):
            at = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC)
            grouped.setdefault(row[column], []).append((at, number, row["event"]))
    return {name: sorted(some) for name, some in grouped.items()}


def check_ways(connection: Connection) -> None:
    """The transitions of all sessions, without bounds, and how long the most frequent one takes."""
    expected: Counter[tuple[str, str]] = Counter()
    took = []
    for session in rows("session_id").values():
        runs = [list(run) for _, run in groupby(session, key=lambda row: row[2])]
        expected.update(pairwise([START, *[f"web/{run[0][2]}" for run in runs], END]))
        took += [
            (after[0][0] - before[-1][0]).total_seconds() * 1000
            for place, (before, after) in enumerate(pairwise(runs))
            if (place, before[0][2], after[0][2]) == (0, "home", "catalog")
        ]
    edges = JourneyMap(connection, stations=1_000).edges()
    found: Counter[tuple[str, str]] = Counter()
    for edge in edges:
        found[edge.source, edge.target] += edge.journeys
    assert found == expected
    [first] = [edge.median_ms for edge in edges if edge[:3] == (1, "web/home", "web/catalog")]
    assert first == median_low(took)


def check_funnel(connection: Connection) -> None:
    """Who comes how far within a day, whatever attempt it is: the best of all attempts of each customer."""
    steps, within = ("product_view", "add_to_cart", "shipping_details", "purchase"), timedelta(days=1)
    expected: Counter[int] = Counter()
    for events in rows("user_id").values():
        latest: dict[int, datetime] = {}  # step → the latest beginning of an attempt that has come there
        best = 0
        for at, _, event in events:
            for number in reversed(range(len(steps))):
                begun = at if number == 0 else latest.get(number - 1)
                if event == steps[number] and begun is not None and at - begun <= within:
                    latest[number] = max(begun, latest.get(number, begun))
                    best = max(best, number + 1)
        expected.update(range(1, best + 1))
    known = meanings(connection, policy.read(None))
    wanted = [Wanted("web", kind) for kind in steps]
    found = Funnel(connection, wanted, known, datetime.now(UTC), within=within).reached("all")
    assert {each.step: each.customers for each in found} == expected
    assert len(found) == len(steps)
    assert all(each.may_go_on == 0 for each in found)
