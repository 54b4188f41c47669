"""What those are expected to think who did not answer, learned from journeys as they are read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

import pytest

from pipeline.cli.fit.answered_contacts import of_journeys
from pipeline.cli.fit.expected_learning import learn_expected
from pipeline.cli.models.expected_report import print_expected
from pipeline.errors import InvalidInput
from pipeline.fitting.maximum import NotFitted
from pipeline.journey.step import Step, StepType, event_key, measured
from pipeline.queries.models import StoredModel
from pipeline.scores.satisfaction.contacts import Usual

DAY, MINUTE = 86_400_000, 60_000
START = round(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
USUAL = Usual({}, lambda _type: True)


def journeys(effect: float) -> Iterator[tuple[str, list[Step]]]:
    """Journeys of a call, of which some fail, or a visit; each answered. A failure costs `effect` points."""
    rng = Random(2)
    for number in range(1_500):
        customer, at = f"customer:{number % 500}", START + round(rng.uniform(0, 200) * DAY)
        channel, kind, usual = rng.choice((("call_centre", "call_ended", 60.0), ("branch", "counter_served", 75.0)))
        failed = rng.random() < 0.3
        score = min(100.0, max(0.0, usual - effect * failed + rng.gauss(0, 15)))
        contact = StepType(channel, kind, "after", "failed" if failed else "succeeded")
        answer = measured(score=score, about=f"{channel}/{kind}")
        told = StepType("email", "survey_answered", "after", "none")
        yield (
            customer,
            [
                Step(at, 0, event_key("pbx", str(number), at), contact),
                Step(at + MINUTE, 0, event_key("survey", str(number), at), told, answer),
            ],
        )  # fmt: skip


def learned(effect: float, *, active: StoredModel | None = None, backwards: bool = False) -> dict[str, object]:
    read = list(journeys(effect))
    contacts, names = of_journeys(read[::-1] if backwards else read, USUAL)
    assert names == ["branch/counter_served", "call_centre/call_ended"]
    return learn_expected(contacts, names, {}, None, 60, active, 1)


def test_the_order_in_which_journeys_are_read_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    report = learned(30.0)
    assert report == learned(30.0, backwards=True)
    assert report["has_skill"] is True
    assert report["calibration"]["slope"] == pytest.approx(1, abs=0.15)  # type: ignore[index]
    print_expected(report)
    assert "a gain beyond chance" in capsys.readouterr().out


def test_without_an_effect_there_is_no_skill_and_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    report = learned(0.0)
    assert report["has_skill"] is False
    print_expected(report)
    assert "nothing expected is shown" in capsys.readouterr().out


def test_the_active_version_is_judged_by_the_same_answers(capsys: pytest.CaptureFixture[str]) -> None:
    first = learned(30.0)
    parameters: dict[str, float] = first["parameters"]  # type: ignore[assignment]
    active = StoredModel("expected_satisfaction", "1", True, datetime.now(UTC), "", parameters, first)
    report = learned(30.0, active=active)
    error = report["active"]["validation"]["error"]["value"]  # type: ignore[index]
    assert error == pytest.approx(report["validation"]["error"]["value"], abs=0.3)  # type: ignore[index]
    print_expected(report)
    assert "active: 1" in capsys.readouterr().out


def test_too_little_to_learn_from_or_to_foretell_is_refused() -> None:
    assert len(of_journeys([], USUAL)[0].scores) == 0
    contacts, names = of_journeys(journeys(0.0), USUAL)
    with pytest.raises(InvalidInput, match="nothing is left to learn from"):
        learn_expected(contacts, names, {}, None, 3_650, None, 1)
    with pytest.raises(NotFitted):
        learn_expected(contacts._replace(signals=contacts.signals * 0), names, {}, None, 60, None, 1)
