"""When a journey can be shortened without all of it being known."""

from __future__ import annotations

import pytest
from network import Event, admitted

from pipeline.flow import long_journeys
from pipeline.flow.identity_rows import OMITTED, aside_row
from pipeline.flow.long_journeys import Shortening
from pipeline.identity.segments import BEGINNING, CLAIMED, NOBODY, Segment
from pipeline.journey import journey
from pipeline.journey.admitted import Admitted
from pipeline.journey.journey import Journey
from pipeline.journey.step import Step

KEY, MINUTE = "anonymous:x", 60_000
T0 = 1_690_000_000_000
#: Page views, a minute apart; each covers 30 minutes.
PAGES = [admitted(Event(f"e{number}", T0 + number * MINUTE, (KEY,))) for number in range(100)]
#: Covers three hours.
LASTING = admitted(Event("lasting", T0, (KEY,), "lasting"))


@pytest.fixture(autouse=True)
def _few_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (journey, long_journeys):
        monkeypatch.setattr(module, "KEPT_EACH_END", 2)


def suffices(pages: list[Admitted], since: int, until: int) -> bool:
    """Whether a journey of pages can lose those of some minutes, with ten more known after what these cover."""
    by_key = {page.step.key: page for page in pages}

    def readmit(_customer: str, step: Step) -> Admitted:
        return by_key[step.key]

    robot = Journey(KEY, "id")
    robot.extend([page.step for page in pages], pages[-1].until, signs=pages[0].traits.signs)
    held = [Segment(BEGINNING, None, NOBODY), Segment(T0 + since * MINUTE, "customer:1", CLAIMED)]
    rows = [aside_row(KEY, page.step, OMITTED) for page in pages if page.step.key in robot.omitted]
    end = T0 + until * MINUTE
    shortening = Shortening(robot, end, [row for row in rows if row.at <= end], held, readmit)
    assert not shortening.is_empty
    return shortening.suffices([row for row in rows if end < row.at <= shortening.reach + 10 * MINUTE])


def test_the_first_touchpoints_can_leave() -> None:
    assert suffices(PAGES, 0, 10)


def test_others_can_not() -> None:
    assert not suffices(PAGES, 1, 10)


def test_all_is_looked_at_where_the_first_ones_cover_the_whole_journey() -> None:
    assert not suffices([LASTING, *PAGES[1:]], 0, 10)


def test_all_is_looked_at_where_few_stay() -> None:
    assert not suffices(PAGES[:31], 0, 26)


def test_all_is_looked_at_where_the_rest_falls_apart() -> None:
    later = admitted(Event("later", T0 + 120 * MINUTE, (KEY,), "lasting"))
    assert suffices([*PAGES, later], 0, 10)
    assert not suffices([LASTING, *PAGES[1:20], *PAGES[60:], later], 0, 10)


def test_all_is_looked_at_where_the_customer_may_not_have_begun_the_rest() -> None:
    others = [admitted(Event(f"o{number}", T0 + number * MINUTE, (KEY,), "survey_sent")) for number in range(100)]
    assert not suffices([PAGES[0], *others[1:]], 0, 10)
    assert suffices([PAGES[0], *others[1:-1], PAGES[-1]], 0, 10)
