"""Maps and ways of journeys, and their totals, are those of a plain computation over the same journeys."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from random import Random
from statistics import median_low

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_journeys import START, Told, drawn, step, told
from sqlalchemy import Connection, Engine, text

from pipeline.errors import InvalidInput
from pipeline.insight import ways
from pipeline.insight.ways import EARLIER, END, LATER, nodes
from pipeline.queries.journey_map import JourneyMap
from pipeline.queries.steps import Wanted

PURCHASE, CALL = Wanted("web", "purchase"), Wanted(None, "call_queued")


def stations(journey: Told) -> list[tuple[str, int, int]]:
    """Name, and the times of the first and last step in epoch milliseconds."""
    made: list[tuple[str, int, int]] = []
    for name, each in zip(journey.names, journey.steps, strict=True):
        at = round(each["at"].timestamp() * 1000)
        if made and made[-1][0] == name:
            made[-1] = (name, made[-1][1], at)
        else:
            made.append((name, at, at))
    return made


def shown(journey: Told, after: Wanted | None, before: Wanted | None, most: int) -> tuple[int, int, int] | None:
    """The first and last place that is shown (from 0) and the station of the first."""
    names = [name for name, *_ in stations(journey)]
    begin = next((n for n, name in enumerate(names) if after and after.is_of(name)), None)
    if after and begin is None:
        return None
    earliest = 0 if begin is None else begin + 1
    end = next((n for n, name in enumerate(names) if before and before.is_of(name) and n >= earliest), None)
    if before and end is None:
        return None
    if begin is not None:
        return begin, min(len(names) - 1, begin + most, *([] if end is None else [end])), 0
    if end is not None:
        first = max(0, end - most)
        return first, end, first - end
    return 0, min(len(names), most) - 1, 1


def plain(
    journeys: list[Told], after: Wanted | None, before: Wanted | None, most: int
) -> dict[tuple[int, str, str], list[int | None]]:
    found: dict[tuple[int, str, str], list[int | None]] = defaultdict(list)
    for journey in journeys:
        if (place := shown(journey, after, before, most)) is None:
            continue
        first, last, station = place
        every = stations(journey)
        found[station - 1, EARLIER if first else ways.START, every[first][0]].append(None)
        for n in range(first, last):
            found[station + n - first, every[n][0], every[n + 1][0]].append(every[n + 1][1] - every[n][2])
        found[station + last - first, every[last][0], END if last == len(every) - 1 else LATER].append(None)
    return found


def check(connection: Connection, journeys: list[Told], after: Wanted | None, before: Wanted | None, most: int) -> None:
    expected = plain(journeys, after, before, most)
    journey_map = JourneyMap(connection, after=after, before=before, stations=most)
    found = journey_map.edges()
    assert {each[:3]: each.journeys for each in found} == {place: len(times) for place, times in expected.items()}
    for edge in found:
        times = [each for each in expected[edge[:3]] if each is not None]
        assert edge.median_ms == (median_low(times) if times else None)
    # What goes into a touchpoint goes on or ends there.
    into: Counter[tuple[int, str]] = Counter()
    out: Counter[tuple[int, str]] = Counter()
    for edge in found:
        into[edge.station + 1, edge.target] += edge.journeys
        out[edge.station, edge.source] += edge.journeys
    for node in nodes(found):
        assert node.journeys == into[node[:2]] == out[node[:2]]


ANCHORS = pytest.mark.parametrize(
    ("after", "before"), [(None, None), (PURCHASE, None), (None, PURCHASE), (CALL, PURCHASE), (PURCHASE, PURCHASE)]
)


@ANCHORS
@pytest.mark.parametrize("most", [1, 3])
def test_a_map_is_what_a_plain_count_finds(
    initialised: Engine, after: Wanted | None, before: Wanted | None, most: int
) -> None:
    journeys = drawn(seed=3, journeys=400, customers=50)
    with told(initialised, journeys) as connection:
        check(connection, journeys, after, before, most)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=20)
def test_flow_is_conserved_in_any_journeys(initialised: Engine, seed: int) -> None:
    journeys = drawn(seed, journeys=20, customers=4)
    rng = Random(seed)
    names = sorted({name for journey in journeys for name in journey.names})
    anchors = [None, *[Wanted(*rng.choice(names).split("/")) for _ in range(2)]]
    with told(initialised, journeys) as connection:
        check(connection, journeys, rng.choice(anchors), rng.choice(anchors), rng.randrange(1, 6))


def test_every_number_can_be_opened(initialised: Engine) -> None:
    journeys = drawn(seed=5, journeys=300, customers=40)
    with told(initialised, journeys) as connection:
        found = JourneyMap(connection, after=CALL, stations=3)
        every = found.edges()
        for edge in every:
            behind = list(found.behind(edge.station, edge.source, edge.target))
            assert len({each.journey_id for each in behind}) == len(behind) == edge.journeys
        for node in nodes(every):
            assert len(list(found.behind(node.station, node.touchpoint, None))) == node.journeys


def test_a_journey_counts_in_the_period_in_which_it_began(initialised: Engine) -> None:
    journeys = drawn(seed=6, journeys=200, customers=30)
    since, until = START + timedelta(days=2), START + timedelta(days=5)
    began = [each for each in journeys if since <= each.steps[0]["at"] < until]
    assert 0 < len(began) < 200
    with told(initialised, journeys) as connection:
        found = JourneyMap(connection, stations=2, since=since, until=until).edges()
        assert sum(edge.journeys for edge in found if edge.source == ways.START) == len(began)
        with pytest.raises(InvalidInput, match="No touchpoint here is purchaze"):
            JourneyMap(connection, after=Wanted(None, "purchaze"), stations=2)


def test_a_long_journey_s_steps_are_read_from_where_they_are_kept(initialised: Engine) -> None:
    """The middle ones stand aside; of what the row has alone, the first page would be followed by the call."""
    moments = [START + timedelta(minutes=minute) for minute in range(5)]
    names = ["web/page_viewed", "web/checkout_started", "web/purchase", "email/email_sent", "call_centre/call_queued"]
    steps = [step(at, name) for at, name in zip(moments, names, strict=True)]
    with told(
        initialised, [Told("f0000000-0000-0000-0000-000000000001", "customer:1", steps, (1, 2, 3))]
    ) as connection:
        [shown_steps] = connection.execute(text("SELECT jsonb_array_length(steps) FROM journey")).scalars()
        found = JourneyMap(connection, stations=9).edges()
    assert shown_steps == 2
    assert [edge.source for edge in found if edge.station > 0] == names
