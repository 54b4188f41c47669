"""Which spans of time change hands, and which journeys touchpoints join."""

from __future__ import annotations

from pipeline.identity.segments import BEGINNING, END, HELD, NOBODY, UNKNOWN, Segment
from pipeline.queries.correction_effect import JourneySpan, touched
from pipeline.queries.holders import Segments, changed_spans

ANN, TOM = "customer:ann", "customer:tom"


def test_spans_in_which_the_holder_stays_do_not_change() -> None:
    before = (Segment(BEGINNING, None, NOBODY), Segment(10, ANN, HELD), Segment(20, TOM, HELD), Segment(30, ANN, HELD))
    after = (Segment(BEGINNING, None, NOBODY), Segment(10, ANN, HELD), Segment(25, TOM, HELD))
    assert changed_spans(Segments(before, after)) == [(20, 24), (30, END)]
    assert changed_spans(Segments(before, before)) == []
    assert changed_spans(Segments(UNKNOWN, (Segment(BEGINNING, ANN, HELD),))) == [(BEGINNING, END)]


def test_a_touchpoint_joins_the_journeys_that_its_cover_meets_at_either_end() -> None:
    journeys = [JourneySpan("a", 0, 10), JourneySpan("b", 20, 30), JourneySpan("c", 40, 50)]
    assert touched(journeys, 10, 20) == ["a", "b"]
    assert touched(journeys, 11, 19) == []
    assert touched(journeys, 25, 25) == ["b"]
    assert touched(journeys, 51, 60) == []
    assert touched([], 0, 1) == []
