"""What every ledger does for customers who have more journeys than are kept in memory."""

from __future__ import annotations

from memory import MINUTE, T0

from contracts.ledger import batch_of, commit, take, touchpoint
from pipeline.flow.identity_effects import IdentityEffects
from pipeline.flow.identity_needs import Span
from pipeline.flow.identity_rows import COPY, MORE_FOLLOWING, OMITTED, RestatementRow, aside_row
from pipeline.identity.segments import BEGINNING, END
from pipeline.journey.step import Step
from pipeline.ledger.commit import Commit
from pipeline.ledger.protocol import Ledger

ONE, TWO = "customer:1", "customer:2"


async def _three_journeys(ledger: Ledger) -> None:
    """Customer 1 has journeys of 1, 2 and 1 touchpoints at minutes 0, 60 and 120; customer 2 has one at 60."""
    [position] = await take(ledger)
    hours = [("a", 0), ("b", 60), ("c", 61), ("d", 120)]
    await commit(ledger, position, *[touchpoint(name, minute) for name, minute in hours], touchpoint("e", 60, "2"))


async def journeys_that_meet_windows_are_loaded(ledger: Ledger) -> None:
    await _three_journeys(ledger)

    async def starts(*windows: tuple[str, int, int]) -> dict[str, set[float]]:
        spans = [Span(key, T0 + since * MINUTE, T0 + until * MINUTE) for key, since, until in windows]
        loaded = await ledger.load_windows(spans)
        return {key: {(journey.started_at - T0) / MINUTE for journey in journeys} for key, journeys in loaded.items()}

    assert await starts((ONE, 0, 0), (ONE, 119, 120)) == {ONE: {0, 120}}
    assert await starts((ONE, 30, 59), (TWO, 90, 500)) == {ONE: {0}, TWO: {60}}
    assert await starts((ONE, 31, 59), (TWO, 91, 500)) == {}
    assert await starts((ONE, 0, 500), (ONE, 60, 60)) == {ONE: {0, 60, 120}}


async def journeys_are_loaded_page_by_page(ledger: Ledger) -> None:
    await _three_journeys(ledger)
    first = await ledger.load_page(ONE, BEGINNING, 2)
    assert [journey.started_at for journey in first] == [T0, T0 + 60 * MINUTE]
    [last] = await ledger.load_page(ONE, first[-1].started_at, 2)
    assert last.started_at == T0 + 120 * MINUTE
    assert await ledger.load_page(ONE, last.started_at, 2) == []


async def a_restatement_ends_with_the_journey_that_makes_it_large_enough(ledger: Ledger) -> None:
    await _three_journeys(ledger)
    row = RestatementRow(ONE, BEGINNING, END, rebuild=False, refold=False)
    for since, touchpoints, end in ((0, 1, 0), (0, 2, 61), (0, 3, 61), (0, 4, 120), (61, 1, 61), (62, 1, 120)):
        waiting = row._replace(since=T0 + since * MINUTE)
        assert await ledger.portion_ends([waiting], touchpoints) == {ONE: T0 + end * MINUTE}, (since, touchpoints)
    other = row._replace(key="customer:new", until=7)
    assert await ledger.portion_ends([row, other], 5) == {ONE: END, "customer:new": 7}
    early = row._replace(until=T0 + 59 * MINUTE)
    assert await ledger.portion_ends([early], 2) == {ONE: early.until}


async def touchpoints_that_long_journeys_leave_out_are_loaded_in_order(ledger: Ledger) -> None:
    [position] = await take(ledger)
    batch = await batch_of(ledger, position, [touchpoint("a", 0)])
    [row] = batch.journeys
    steps = [row.steps.items[0]._replace(at=T0 + n * MINUTE, key=n.to_bytes(8, "big")) for n in range(1, 400)]
    effects = IdentityEffects()
    for step in steps:
        effects.put_aside(aside_row(ONE, step, OMITTED))
    effects.put_aside(aside_row(ONE, steps[0]._replace(key=bytes(8)), COPY))
    effects.put_aside(aside_row(TWO, steps[0], OMITTED))
    await ledger.commit([Commit(position, batch._replace(identity=effects.changes(1, "")))])

    async def loaded(after: int, until: int) -> list[Step]:
        rows = await ledger.load_following(ONE, T0 + after * MINUTE, T0 + until * MINUTE)
        return [row.step for row in rows]

    assert await loaded(10, 30) == steps[10 : 30 + MORE_FOLLOWING]
    assert await loaded(10, 0) == steps[10 : 10 + MORE_FOLLOWING]
    assert await loaded(390, 500) == steps[390:]
    long = RestatementRow(ONE, T0, END, rebuild=False, refold=False)
    assert await ledger.portion_ends([long, long._replace(key=TWO)], 30) == {ONE: steps[28].at, TWO: END}


CASES = [
    touchpoints_that_long_journeys_leave_out_are_loaded_in_order,
    journeys_that_meet_windows_are_loaded,
    journeys_are_loaded_page_by_page,
    a_restatement_ends_with_the_journey_that_makes_it_large_enough,
]
