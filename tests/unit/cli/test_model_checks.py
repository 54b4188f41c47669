"""When a model of answers holds, and when it does not; what is said of one that can't be checked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from pipeline.cli.models.check_report import print_check
from pipeline.cli.models.checks.answered import compared, in_days, require_enough, since
from pipeline.cli.models.checks.verdict import Limit, NotCheckable, drift_since, findings, lowest
from pipeline.fitting.drift import profile

FIT: dict[str, Any] = {"learned_until": "2026-07-01T00:00:00+00:00", "until": "2026-09-01T00:00:00+00:00"}


def day(month: int, number: int = 1) -> float:
    return in_days(datetime(2026, month, number, tzinfo=UTC))


def outcome(predicted_off: float, usual_off: float, *, then: tuple[float, float] | None = None) -> dict[str, Any]:
    """What a check finds of answers that lie about what was foretold by `predicted_off`, and about the usual."""
    rng = np.random.default_rng(1)
    scores = rng.uniform(20, 80, 600)
    fit = None
    if then is not None:
        figure = {"value": then[0], "low": then[0] - 1, "high": then[1]}
        fit = {
            "validation": {"error": figure, "correlation": figure},
            "usual": {"error": figure, "correlation": figure},
        }
    return compared(
        scores + rng.normal(0, predicted_off, 600),
        scores + rng.normal(0, usual_off, 600),
        scores, np.arange(600), fit, {"wait": 0.1}, "pipeline fit satisfaction", 1,
    )  # fmt: skip


def test_answers_are_looked_at_after_the_fit_and_for_as_long_as_it_foretold() -> None:
    assert since(FIT, day(9, 20)) == pytest.approx(day(9), abs=1e-4)
    assert since(FIT, day(12, 31)) == day(12, 31) - 62
    assert since(None, day(12, 31)) == day(12, 31) - 90


@pytest.mark.parametrize(
    ("answers", "said"), [(0, "Answers since 2026-09-01: none; 100"), (99, "2026-09-01: 99; 100 are needed")]
)
def test_too_few_answers_tell_nothing(answers: int, said: str) -> None:
    with pytest.raises(NotCheckable, match=said):
        require_enough(answers, "Answers", day(9))
    require_enough(100, "Answers", day(9))


def test_a_model_that_foretells_as_it_did_holds() -> None:
    found = outcome(10.0, 15.0, then=(8.0, 8.5))
    assert found["findings"] == []
    assert found["validation"]["error"]["value"] < found["usual"]["error"]["value"] < found["error_limit"] + 10


def test_no_better_than_usual_is_no_fault_but_worse_beyond_chance_is() -> None:
    assert outcome(10.0, 10.0)["findings"] == []
    worse = outcome(15.0, 10.0)
    assert worse["findings"] == [
        "It foretells worse than what the touchpoint usually gets: fit it anew (pipeline fit satisfaction)."
    ]
    assert worse["error_limit"] <= worse["validation"]["error"]["value"]


def test_worse_than_in_the_validation_beyond_chance_is_a_finding() -> None:
    found = outcome(15.0, 20.0, then=(8.0, 8.5))
    assert found["findings"] == ["It foretells worse than when it was fitted: fit it anew (pipeline fit satisfaction)."]


def test_one_finding_says_what_a_loss_means_and_another_what_has_moved() -> None:
    limits = [Limit(0.2, "First"), Limit(0.1, "Second")]
    assert lowest(limits) == 0.1
    assert list(findings(0.3, limits, {"help": 0.3, "money": 0.2}, "do it")) == [
        "First: fit it anew (do it).", "Its input “help” is not what it was fitted to: fit it anew (do it).",
    ]  # fmt: skip
    assert list(findings(0.05, limits, None, "do it")) == []


def test_drift_is_told_of_inputs_that_a_fit_has_stored() -> None:
    values = np.arange(200.0)
    fit = {"inputs": {"wait": profile(values)._asdict(), "gone": profile(values)._asdict()}}
    found = drift_since(fit, {"wait": values + 100, "new": values})
    assert found is not None and list(found) == ["wait"] and found["wait"] > 0.25
    assert drift_since({}, {"wait": values}) is drift_since(None, {"wait": values}) is None


def test_what_a_check_found_is_printed_beside_what_was_then(capsys: pytest.CaptureFixture[str]) -> None:
    found = {"model": "satisfaction", "version": "own", "since": "2026-09-01", "until": "2026-10-01"}
    print_check(found | outcome(10.0, 15.0, then=(8.0, 8.5)))
    said = capsys.readouterr().out
    for words in ("satisfaction own: foretold 600 answers, 2026-09-01 to", "when it was fitted", "wait", "It holds."):
        assert words in said
    calibrated = {"calibration": {"intercept": 0.1, "slope": None, "gap": 2.0}}
    calibrated |= {"usual_calibration": calibrated["calibration"]}
    print_check(found | outcome(10.0, 15.0) | calibrated | {"drift": None})
    said = capsys.readouterr().out
    assert "slope" in said and "when it was fitted" not in said and "stability index" not in said


def test_what_can_not_be_checked_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    print_check({"model": "expected_satisfaction", "version": None, "why_not": "It was not fitted."})
    assert capsys.readouterr().out == "expected_satisfaction can't be checked. It was not fitted.\n"
