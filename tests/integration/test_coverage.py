"""Coverage of journeys in the tables: the contacts behind a number are as many, in the period in which they began."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from random_journeys import START, Told, step, told
from sqlalchemy import Engine, text

from pipeline.insight.coverage import Covered
from pipeline.queries.coverage import contacts_of, coverage
from pipeline.queries.responses import weighted
from pipeline.queries.steps import Wanted

CALL = "call_centre/call_ended"
_FEEDBACK = text("""
    INSERT INTO feedback (partition, key, at, touchpoint, instrument, score, stage, channel, kind, subject)
    VALUES (0, 'customer:c0', :at, 'x', 'csat', 4, 'after', 'call_centre', 'call_ended', '')
""")


def journeys() -> list[Told]:
    """Of nine calls every third is answered, every third is asked about only, and two days lie between them."""
    made = []
    for number in range(9):
        at = START + timedelta(days=2 * number)
        steps = [step(at, "web/page_viewed"), step(at + timedelta(minutes=1), CALL)]
        if number % 3:
            steps.append(step(at + timedelta(minutes=2), "web/survey_sent"))
        if number % 3 == 2:
            steps.append(step(at + timedelta(minutes=3), "web/survey_answered", score=75.0, about=CALL))
        made.append(Told(f"f0000000-0000-0000-0000-00000000000{number}", f"customer:c{number}", steps))
    return made


def test_contacts_are_counted_as_asked_reached_and_answered_and_can_be_listed(initialised: Engine) -> None:
    with told(initialised, journeys()) as connection:
        connection.execute(text("TRUNCATE feedback"))
        connection.execute(_FEEDBACK, {"at": START})
        found = coverage(connection)
        late = coverage(connection, since=START + timedelta(days=7), until=START + timedelta(days=12))
        behind = list(contacts_of(connection, Wanted(None, "call_ended")))
        _, responses = weighted(connection)
    assert [(each.touchpoint, each.covered) for each in found.touchpoints] == [
        ("web/page_viewed", Covered(9, 0, 0, 0)),
        (CALL, Covered(9, 6, 6, 3)),
    ]
    assert [(each.touchpoint, each.covered) for each in late.touchpoints] == [
        ("web/page_viewed", Covered(2, 0, 0, 0)),
        (CALL, Covered(2, 2, 2, 1)),
    ]
    assert Counter(each[2:] for each in behind) == {
        (False, False, False): 3, (True, True, False): 3, (True, True, True): 3,
    }  # fmt: skip
    assert {each.customer for each in behind if each.is_answered} == {"customer:c2", "customer:c5", "customer:c8"}
    # The same contacts are behind the weights of answers.
    assert [response for touchpoint, _, response in responses if touchpoint == CALL] == [(9, 6, 3)]
    assert found.unplaced == 0
