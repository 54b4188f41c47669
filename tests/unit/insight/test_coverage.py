"""Who was asked about a contact, whom the asking reached, and how many answers are needed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.insight.coverage import Coverage, Covered, Needed, Seen, needed
from pipeline.journey.step import Step, StepType, event_key, measured
from pipeline.scores.satisfaction.contacts import Usual

MINUTE = 60_000
CALL, PAGE = "call_centre/call_ended", "web/page_viewed"
COMPANY = ("survey_sent", "email_delivered", "email_auto_opened", "email_bounced", "order_shipped", "sms_delivered")
USUAL = Usual({}, lambda step_type: step_type.kind not in COMPANY)


def step(minute: float, what: str, **measures: object) -> Step:
    channel, kind = what.split("/")
    at = round(minute * MINUTE)
    key = event_key("test", f"{minute}{what}", at)
    return Step(at, 0, key, StepType(channel, kind, "after", "none"), measured(**measures))  # type: ignore[arg-type]


def coverage() -> Coverage:
    return Coverage(USUAL, {CALL}, {"survey_answered", "review_posted"})


def seen(*steps: Step) -> list[Seen]:
    return coverage().add(steps)


def test_touchpoints_that_no_answer_is_about_count_as_never_asked() -> None:
    counting = coverage()
    counting.add(
        [step(0, PAGE), step(1, PAGE), step(2, CALL), step(3, "web/review_posted"), step(4, "email/order_shipped")]
    )
    assert counting.touchpoints == {PAGE: Covered(2, 0, 0, 0), CALL: Covered(1, 0, 0, 0)}


def test_an_asking_is_about_the_last_contact_before_it_and_reaches_where_nothing_is_sent() -> None:
    found = seen(step(0, CALL), step(1, CALL), step(2, PAGE), step(3, "call_centre/survey_sent"))
    assert found == [
        Seen(CALL, False, False, False),
        Seen(CALL, True, True, False),
        Seen(PAGE, False, False, False),
    ]


@pytest.mark.parametrize(
    ("follows", "is_reached"),
    [
        ([], False),
        ([(1, "email/email_delivered")], True),
        ([(1, "email/email_auto_opened")], True),
        ([(59, "web/page_viewed"), (60, "email/email_delivered")], True),
        ([(61, "email/email_delivered")], False),
        ([(5_000, "email/email_opened")], True),
        ([(1, "email/email_bounced"), (2, "email/email_opened")], False),
        ([(1, "email/order_shipped"), (2, "email/email_opened")], False),
        ([(1, "email/survey_sent"), (2, "email/email_received")], False),
        ([(1, "sms/sms_delivered")], False),
    ],
)
def test_a_mail_has_reached_whom_it_was_delivered_to_or_who_opened_it(
    follows: list[tuple[float, str]], is_reached: bool
) -> None:
    steps = [step(-1, CALL), step(0, "email/survey_sent"), *[step(*each) for each in follows]]
    assert seen(*steps)[0] == Seen(CALL, True, is_reached, False)


def test_who_answered_was_asked_and_reached() -> None:
    counting = coverage()
    counting.add(
        [step(0, CALL), step(1, "email/survey_sent"), step(9, "email/survey_answered", score=75.0, about=CALL)]
    )
    counting.add([step(0, CALL), step(9, "web/survey_answered", score=25.0, about=CALL)])
    assert counting.touchpoints == {CALL: Covered(2, 2, 2, 2)}


def test_an_asking_that_follows_no_such_contact_is_counted_apart() -> None:
    counting = coverage()
    counting.add([step(0, PAGE), step(1, "email/survey_sent"), step(2, "email/email_opened")])
    assert counting.unplaced == 1
    assert PAGE in counting.touchpoints


@given(st.lists(st.sampled_from([CALL, PAGE, "email/survey_sent", "email/email_opened", "email/email_bounced"])))
def test_never_more_are_asked_than_were_in_touch_nor_reached_than_asked(names: list[str]) -> None:
    counting = coverage()
    found = counting.add([step(minute, name) for minute, name in enumerate(names)])
    for contacts, asked, reached, answered in counting.touchpoints.values():
        assert contacts >= asked >= reached >= answered
    assert len(found) == sum(each.contacts for each in counting.touchpoints.values())


def test_where_nothing_is_known_the_most_answers_are_needed_and_of_few_contacts_fewer() -> None:
    assert needed(Covered(1_000_000, 0, 0, 0), 0, 0) == Needed(381, 381, None)
    assert needed(Covered(1_000, 0, 0, 0), 0, 0) == Needed(381, 277, None)


def test_few_answers_that_agree_are_no_reason_to_ask_less() -> None:
    """Of 5 of 5, less than 0.57 may be satisfied; of 1,000 of 1,000, no less than 0.99."""
    assert needed(Covered(10**9), 5, 5).answers > 370
    assert needed(Covered(10**9), 1_000, 1_000).answers < 100
    assert needed(Covered(10**9), 0, 1_000).answers < 100


def test_as_many_more_are_asked_as_answer() -> None:
    assert needed(Covered(10**9, 500, 400, 100), 50, 100) == Needed(381, 381, 1405)
    assert needed(Covered(10**9, 500, 450, 400), 200, 400).to_ask == 0
