"""What customers answer is kept: whose it is, figures by instrument, and the words apart."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from harness import Pipe
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from pipeline.touchpoint import Feedback, Identifier, Touchpoint

DAY = timedelta(days=1)
T0 = datetime(2026, 11, 2, 12, tzinfo=UTC)  # a Monday
CARD = Identifier("loyalty", "L7")
WORDS = "Sehr nett!\nGerne wieder."


def answer(event_id: str, at: datetime, instrument: str, score: float, **fields: Any) -> Touchpoint:
    given: dict[str, Any] = {"channel": "email", "kind": "survey_answered", "customer_id": "c1"} | fields
    verbatim = given.pop("verbatim", None)
    return Touchpoint(
        event_id, "survey", round(at.timestamp() * 1000), feedback=Feedback(instrument, score, verbatim), **given
    )


@pytest.fixture
def answered(pipe: Pipe) -> Pipe:
    about = {"attributes": {"about": "call_centre/call_ended"}}
    pipe.publish(
        [
            Touchpoint(
                "call", "pbx", round(T0.timestamp() * 1000), channel="call_centre", kind="call_ended", customer_id="c1",
                stage="during",
            ),
            answer("a", T0, "csat", 5.0, subject="case-1", verbatim=WORDS, **about),
            answer("b", T0 + DAY, "csat", 2.0, **about),
            answer("c", T0 + 8 * DAY, "nps", 9.0),
            answer("d", T0 + 8 * DAY, "sentiment", 0.0),
            answer("e", T0 + DAY, "stars", 4.0, customer_id=None, identifiers=(CARD,)),
            answer("a", T0, "csat", 5.0, subject="case-1", verbatim=WORDS, **about),
            Touchpoint(
                "visit", "till", round((T0 + 2 * DAY).timestamp() * 1000), channel="branch", kind="counter_served",
                customer_id="c2", identifiers=(CARD,),
            ),
        ]
    )  # fmt: skip
    pipe.work()
    return pipe


def read(pipe: Pipe, *arguments: str) -> Any:
    return json.loads(pipe.run("satisfaction", "--json", *arguments).stdout)


def test_each_answer_is_kept_once_with_the_customer_whose_it_is(answered: Pipe) -> None:
    rows = answered.sql(
        "SELECT customer, instrument, score, channel, kind, subject FROM customer_feedback ORDER BY at, 2"
    )
    assert [tuple(row) for row in rows] == [
        ("customer:c1", "csat", 5.0, "call_centre", "call_ended", "case-1"),
        ("customer:c1", "csat", 2.0, "call_centre", "call_ended", None),
        ("customer:c2", "stars", 4.0, "email", "survey_answered", None),
        ("customer:c1", "nps", 9.0, "email", "survey_answered", None),
        ("customer:c1", "sentiment", 0.0, "email", "survey_answered", None),
    ]
    for customer in ("customer:c1", "customer:c2", "loyalty:L7"):
        by_keys = answered.sql(f"SELECT * FROM feedback_of('{customer}')")
        assert by_keys == answered.sql(f"SELECT * FROM customer_feedback WHERE customer = '{customer}' ORDER BY at")
        assert len(by_keys) == {"customer:c1": 4, "customer:c2": 1}.get(customer, 0)
    assert [row.verbatim for row in answered.sql("SELECT verbatim FROM feedback_verbatim")] == [
        "Sehr nett!\nGerne wieder."
    ]
    audited = answered.run("audit", check=False)
    assert audited.returncode == 0, audited.stdout


def test_the_audit_notices_an_answer_that_was_changed(answered: Pipe) -> None:
    with answered.engine.begin() as connection:
        connection.execute(text("UPDATE feedback SET score = 1 WHERE instrument = 'nps'"))
        connection.execute(text("UPDATE feedback_verbatim SET verbatim = 'Schlecht'"))
    audited = answered.run("audit", "--json", check=False)
    differences = json.loads(audited.stdout)["differences"]
    assert sorted((each["table"], each["column"]) for each in differences) == [
        ("feedback", "score"),
        ("feedback_verbatim", "verbatim"),
    ]
    assert "Schlecht" not in audited.stdout + audited.stderr


def test_figures_are_each_instruments_own(answered: Pipe) -> None:
    found = {each["instrument"]: each for each in read(answered, "--by", "all")}
    assert {name: each["answers"] for name, each in found.items()} == {"csat": 2, "nps": 1, "stars": 1, "sentiment": 1}
    assert found["csat"]["figure"]["value"] == 0.5
    assert found["nps"]["figure"]["value"] == 100.0
    assert found["sentiment"]["figure"] is None
    assert found["csat"]["mean"]["value"] == 3.5

    weeks = read(answered, "--by", "channel", "--every", "week", "--instrument", "csat")
    assert [(each["begins"][:10], each["channel"], each["answers"]) for each in weeks] == [
        ("2026-11-02", "call_centre", 2)
    ]
    later = read(answered, "--since", "2026-11-03T12:00:00Z", "--until", "2026-11-04T00:00:00Z")
    assert sorted(each["instrument"] for each in later) == ["csat", "stars"]

    shown = answered.run("satisfaction", "--instrument", "csat").stdout
    assert "call_ended" in shown
    assert "csat: share of 4 and 5" in shown


def test_what_can_not_be_asked_is_said(answered: Pipe) -> None:
    none = answered.run("satisfaction", "--since", "2027-01-01T00:00:00Z")
    assert (none.stdout, none.stderr) == ("", "No answers here.\n")
    wrong = answered.run(
        "satisfaction", "--since", "2026-11-04T00:00:00Z", "--until", "2026-11-03T00:00:00Z", check=False
    )
    assert wrong.returncode == 2
    assert "--since is not before --until" in wrong.stderr


def test_answers_about_a_touchpoint_count_where_its_events_are_and_neutral_ones_as_neither(answered: Pipe) -> None:
    [call] = answered.sql("SELECT * FROM touchpoint_score WHERE kind = 'call_ended'")
    assert (call.stage, call.events, call.answers, call.satisfied, call.score) == ("during", 1, 2, 1, 0.5)
    assert [(each["stage"], each["answers"]) for each in read(answered, "--instrument", "csat")] == [("during", 2)]
    [mail] = answered.sql("SELECT * FROM touchpoint_score WHERE kind = 'survey_answered'")
    assert (mail.answers, mail.satisfied, mail.neutral, mail.score) == (3, 2, 1, 1.0)


def test_the_satisfaction_model_is_fitted_on_the_answers_in_the_tables_and_taken_up(answered: Pipe) -> None:
    answered.publish(
        answer(f"{customer}-{n}", T0 - n * 20 * DAY, "csat", 1.0 + (customer + n) % 5, customer_id=f"d{customer}")
        for customer in range(20)
        for n in range(8)
    )
    answered.work()
    few = answered.run("fit", "satisfaction", "--horizon", "3000", "--dry-run", check=False)
    assert few.returncode == 2
    assert "are less than the horizon of 3000 days" in few.stderr
    done = answered.run("fit", "satisfaction", "--version", "own", "--activate", check=False)
    if done.returncode:  # these answers follow no pattern
        assert "validated worse than the version that was active then: mean error" in done.stderr
        answered.run("fit", "satisfaction", "--version", "own")
        answered.run("models", "activate", "satisfaction", "own", "--worse")
    try:
        assert "mean error" in answered.run("models", "list").stdout
        assert "foretold by" in answered.run("models", "show", "satisfaction", "own").stdout
        answered.publish([answer("z", T0 + 20 * DAY, "csat", 3.0)])
        answered.work()
        assert answered.sql("SELECT model FROM satisfaction WHERE customer = 'customer:c1'") == [("satisfaction own",)]
        audited = answered.run("audit", check=False)
        assert audited.returncode == 0, audited.stdout
    finally:
        with answered.engine.begin() as connection:
            connection.execute(text("DELETE FROM model WHERE fit IS NOT NULL"))
            connection.execute(text("UPDATE model SET active = true WHERE name = 'satisfaction' AND version = '1'"))


def test_words_are_for_a_role_of_their_own(answered: Pipe) -> None:
    with answered.engine.begin() as connection:
        for statement in (
            "CREATE ROLE of_a_test_without_words",
            "GRANT SELECT ON customer_feedback, feedback, identity_owner TO of_a_test_without_words",
            "SET LOCAL ROLE of_a_test_without_words",
        ):
            connection.execute(text(statement))
        assert connection.execute(text("SELECT count(*) FROM customer_feedback")).scalar_one() == 5
        with pytest.raises(ProgrammingError, match="permission denied"), connection.begin_nested():
            connection.execute(text("SELECT verbatim FROM feedback_verbatim"))
        connection.execute(text("RESET ROLE"))
        connection.execute(text("DROP OWNED BY of_a_test_without_words"))
        connection.execute(text("DROP ROLE of_a_test_without_words"))
