"""`pipeline fit satisfaction` on a CSV file, which needs no servers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from pipeline.cli.fit import fit
from pipeline.errors import InvalidInput

START = datetime(2025, 1, 1, tzinfo=UTC)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(fit, ["satisfaction", "--dry-run", *arguments])


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A year of 300 customers, content to different degrees, who answer now and then."""
    rng = np.random.default_rng(1)
    lines = ["customer,at,instrument,score,about"]
    for customer in range(300):
        usual = rng.normal(3.6, 0.8)
        for _ in range(rng.integers(1, 9)):
            at = START + timedelta(days=float(rng.uniform(0, 365)))
            score = int(np.clip(round(rng.normal(usual, 0.9)), 1, 5))
            lines.append(f"c{customer},{at:%Y-%m-%dT%H:%M:%SZ},csat,{score},web/purchase")
    file = tmp_path_factory.mktemp("fit") / "answers.csv"
    file.write_text("\n".join(lines))
    return file


def test_a_fit_is_shown_with_its_validation_beside_what_it_has_to_beat(answers: Path) -> None:
    done = run("--answers", str(answers))
    assert done.exit_code == 0, done.output
    for words in ("of 300 customers", "prior mean", "rank correlation", "the last answer", "Nothing was stored."):
        assert words in done.output


def test_it_foretells_better_than_the_prior_or_the_last_answer_and_the_same_again(answers: Path) -> None:
    first, again = (json.loads(run("--answers", str(answers), "--json").output) for _ in range(2))
    assert first == again
    error = {name: first[name]["error"]["value"] for name in ("validation", "prior", "last", "usual")}
    assert error["validation"] < min(error["prior"], error["last"], error["usual"])
    assert first["parameters"]["half_life_days"] == 90.0


def test_the_best_half_life_is_taken_only_if_asked_for(answers: Path) -> None:
    best = json.loads(run("--answers", str(answers), "--json", "--half-life", "best").output)
    assert best["parameters"]["half_life_days"] == best["best_half_life_days"] > 90
    own = json.loads(run("--answers", str(answers), "--json", "--half-life", "45").output)
    assert own["parameters"]["half_life_days"] == 45.0
    assert "neither best nor a number of days" in run("--answers", str(answers), "--half-life", "long").output


def test_answers_after_until_are_left_out(answers: Path) -> None:
    half = json.loads(run("--answers", str(answers), "--json", "--until", "2025-07-01T00:00:00Z").output)
    assert half["until"] == "2025-07-01T00:00:00+00:00"
    assert half["answers"] < json.loads(run("--answers", str(answers), "--json").output)["answers"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("customer,at,score\n", "has no column instrument"),
        ("customer,at,instrument,score\n", "has no answers"),
        ("customer,at,instrument,score\n,2025-01-01,csat,5\n", "line 2: the customer is empty"),
        ("customer,at,instrument,score\na,soon,csat,5\n", "line 2: 'soon' is no time"),
        ("customer,at,instrument,score\na,2025-01-01,mood,5\n", "line 2: 'mood' is no instrument"),
        ("customer,at,instrument,score\na,2025-01-01,csat,6\n", "line 2: '6' is not on csat's scale, 1 to 5"),
        ("customer,at,instrument,score\na,2025-01-01,csat,much\n", "line 2: 'much' is not on csat's scale"),
        ("customer,at,instrument,score\na,2025-01-01,csat,5\n", "less than the horizon of 90 days"),
        (
            "customer,at,instrument,score\na,2025-01-01,csat,5\nb,2025-01-02,csat,4\na,2025-09-01,csat,4\n",
            "no customer has answered twice",
        ),
        (
            "customer,at,instrument,score\na,2025-01-01,csat,5\na,2025-01-02,csat,4\nb,2025-09-01,csat,4\n",
            "Nobody who had answered before did so again",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "answers.csv"
    file.write_text(text)
    error = run("--answers", str(file)).exception
    assert isinstance(error, InvalidInput)
    assert said in str(error)


def test_an_early_until_leaves_nothing(answers: Path) -> None:
    error = run("--answers", str(answers), "--until", "2020-01-01T00:00:00Z").exception
    assert isinstance(error, InvalidInput)
    assert "no answers up to --until" in str(error)
