"""Contacts with their signals, what they are expected to get, and how likely they were to be answered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isclose, log1p

import pytest

from pipeline.journey.step import Step, StepType, event_key, measured
from pipeline.scores.satisfaction.contacts import Contact, Signals, Usual, contacts
from pipeline.scores.satisfaction.expected import ExpectedModel
from pipeline.scores.satisfaction.weighting import CAP, Response, Responses, WeightedTally

HOUR = 3_600_000
CALL, PURCHASE = "call_centre/call_ended", "web/purchase"
USUAL = Usual({"call_centre/call_queued": 60_000.0}, lambda step_type: step_type.channel != "email")


def step(number: int, what: str, outcome: str = "none", **measures: object) -> Step:
    channel, kind = what.split("/")
    key = event_key("test", str(number), number)
    return Step(number * HOUR, 0, key, StepType(channel, kind, "after", outcome), measured(**measures))  # type: ignore[arg-type]


def answered(number: int, score: float, about: str) -> Step:
    return step(number, "email/survey_answered", score=score, about=about)


def signals(steps: Sequence[Step], of: str) -> Signals:
    return [contact.signals for contact in contacts(steps, USUAL) if contact.touchpoint == of][-1]


def test_an_answer_belongs_to_the_last_contact_of_its_touchpoint_before_it() -> None:
    first, second = step(1, CALL), step(2, CALL)
    found = contacts([first, second, answered(3, 25.0, CALL), step(4, CALL)], USUAL, {CALL})
    assert [None if each.answer is None else each.answer.at for each in found] == [None, 3 * HOUR, None]
    assert [each.is_asked for each in found] == [False, True, False]


def test_an_answer_may_be_carried_by_the_contact_itself_and_one_about_nothing_seen_is_left_out() -> None:
    rated = step(1, PURCHASE, score=80.0)
    [contact] = contacts([rated, answered(2, 0.0, "branch/counter_served")], USUAL)
    assert (contact.answer, contact.is_asked) == (rated, True)


def test_who_was_asked_is_known_by_the_survey_after_a_contact() -> None:
    steps = [
        step(0, "email/survey_sent"),
        step(1, CALL),
        step(2, "web/page_viewed"),
        step(3, "email/survey_sent"),
        step(4, PURCHASE),
    ]
    found = contacts(steps, USUAL, {CALL, PURCHASE})
    assert [(each.touchpoint, each.is_asked) for each in found] == [(CALL, True), (PURCHASE, False)]


def test_signals_are_of_the_journey_up_to_the_contact() -> None:
    steps = [
        step(1, "web/checkout_failed", "failed"),
        step(2, "call_centre/call_queued", "succeeded", wait_ms=180_000),
        step(3, CALL, "failed"),
        step(4, "email/order_shipped", late_ms=2 * HOUR),
        step(5, "call_centre/call_abandoned", "abandoned"),
        step(6, CALL),
        step(7, CALL, "failed"),
    ]
    assert signals(steps[:3], CALL) == Signals(wait=log1p(3), failed=1, failures=log1p(1), switches=log1p(1))
    assert signals(steps[:6], CALL) == Signals(
        wait=log1p(3), failures=log1p(2), abandonments=log1p(1), repeats=log1p(1), switches=log1p(1), lateness=log1p(2)
    )
    assert signals(steps[:5], "call_centre/call_abandoned").abandoned == 1
    assert signals([step(1, "web/x", wait_ms=5), step(2, "web/x", late_ms=-HOUR)], "web/x") == Signals(repeats=log1p(1))


MODEL = ExpectedModel(
    version="t", level=0.4, intercept=0.1, coefficients=Signals(wait=-0.5, failed=-1.0),
    levels={CALL: 0.0, PURCHASE: 50.0}, usual_waits={"call_centre/call_queued": 60_000.0},
)  # fmt: skip


def test_what_is_expected_is_the_touchpoints_level_moved_by_signals() -> None:
    still = Contact(step(1, CALL), CALL, Signals())
    assert isclose(MODEL.expected(still), 100 * 0.52497918747894)  # 1 / (1 + exp(-0.1))
    assert MODEL.expected(still._replace(signals=Signals(failed=1.0))) < 30
    assert 99.9 < MODEL.expected(still._replace(touchpoint=PURCHASE)) <= 100
    assert isclose(MODEL.expected(still._replace(touchpoint="web/x")), 62.2459331, rel_tol=1e-8)


def test_a_model_of_what_is_expected_survives_its_row() -> None:
    assert ExpectedModel.from_parameters("t", json.loads(json.dumps(MODEL.parameters()))) == MODEL
    with pytest.raises(KeyError):
        ExpectedModel.from_parameters("t", {})


def responses(*cells: tuple[str, str, int, int, int]) -> tuple[Responses, dict[str, list[bytes]]]:
    """Contacts, asked and answered by touchpoint and outcome; and the keys of the answers by outcome."""
    counted, keys, number = Responses(), dict[str, list[bytes]](), 0
    for touchpoint, outcome, size, asked, replied in cells:
        for n in range(size):
            number += 1
            answer = answered(number, 50.0, touchpoint) if n < replied else None
            counted.add([Contact(step(number, touchpoint, outcome), touchpoint, Signals(), n < asked, answer)])
            keys.setdefault(outcome, []).extend([answer.key] if answer else [])
    return counted, keys


def test_an_answer_counts_for_those_of_its_outcome_who_were_asked_or_for_all_where_that_is_not_known() -> None:
    known, keys = responses((CALL, "succeeded", 100, 50, 10), (CALL, "failed", 40, 20, 10))
    assert [known.weight(keys[outcome][0], CALL) for outcome in ("succeeded", "failed")] == [5.0, 2.0]
    unknown, keys = responses((CALL, "succeeded", 100, 10, 10), (CALL, "failed", 40, 10, 10))
    assert [unknown.weight(keys[outcome][0], CALL) for outcome in ("succeeded", "failed")] == [10.0, 4.0]
    assert unknown.touchpoints[CALL] == Response(140, 20, 20)


def test_weights_are_capped_and_an_answer_without_a_contact_has_that_of_its_touchpoint() -> None:
    few, keys = responses((CALL, "succeeded", 500, 1, 1), (CALL, "failed", 10, 9, 9))
    assert few.weight(keys["succeeded"][0], CALL) == CAP
    assert few.weight(b"no contact", CALL) == CAP  # 510 / 10
    assert few.weight(b"no contact", "web/x") == 1.0


def test_weights_undo_that_the_annoyed_answer_more_often() -> None:
    # Of 1,000 contacts, 80 % went well; of these 90 % are satisfied and 10 % answer, of the others 20 % and 50 %.
    known, keys = responses((CALL, "succeeded", 800, 800, 80), (CALL, "failed", 200, 200, 100))
    raw, weighted = WeightedTally("csat"), WeightedTally("csat")
    for outcome, satisfied in (("succeeded", 72), ("failed", 20)):
        for n, key in enumerate(keys[outcome]):
            score = 5.0 if n < satisfied else 2.0
            raw.add(score, 1.0)
            weighted.add(score, known.weight(key, CALL))
    unweighted, found = raw.figure(), weighted.figure()
    assert unweighted is not None and found is not None
    assert isclose(unweighted.value, 92 / 180)
    assert isclose(found.value, (0.8 * 0.9 + 0.2 * 0.2))
    assert isclose(weighted.effective, 1_000**2 / (80 * 100 + 100 * 4))
    assert raw.effective == 180


def test_neutral_answers_have_no_figure_and_detractors_count_against_promoters() -> None:
    neutral = WeightedTally("sentiment")
    neutral.add(0.0, 3.0)
    assert neutral.figure() is None
    nps = WeightedTally("nps")
    for score, weight in ((10.0, 2.0), (6.0, 1.0), (7.0, 1.0)):
        nps.add(score, weight)
    found = nps.figure()
    assert found is not None and isclose(found.value, 25.0)
