"""`pipeline fit churn` on a CSV file, which needs no servers."""

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
    return CliRunner().invoke(fit, ["churn", "--dry-run", *arguments])


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A year of 600 customers with rates of their own, a third of whom leave early."""
    rng = np.random.default_rng(1)
    lines = ["customer,at,note"]
    for customer in range(600):
        at, until = rng.uniform(0, 100), rng.uniform(20, 200) if customer % 3 == 0 else 365.0
        while at < until:
            lines.append(f"c{customer},{START + timedelta(days=float(at)):%Y-%m-%dT%H:%M:%SZ},x")
            at += rng.exponential(15 + customer % 40)
    file = tmp_path_factory.mktemp("fit") / "visits.csv"
    file.write_text("\n".join(lines))
    return file


def test_a_fit_is_shown_with_its_validation_beside_what_it_has_to_beat(visits: Path) -> None:
    done = run("--visits", str(visits))
    assert done.exit_code == 0, done.output
    for word in ("customers with", "BG/NBD", "MBG/NBD", "AUC", "recency alone", "base rate", "Nothing was stored."):
        assert word in done.output


def with_amounts(visits: Path, file: Path, most: int) -> Path:
    """The visits with amounts about a mean of each customer's own."""
    rng = np.random.default_rng(2)
    lines = visits.read_text().splitlines()[1:]
    means = [sum(map(ord, line.split(",")[0])) % most + 1 if most else 0 for line in lines]
    rows = [f"{line[:-2]},{mean * rng.gamma(4, 0.25):.2f}" for line, mean in zip(lines, means, strict=True)]
    file.write_text("\n".join(["customer,at,amount", *rows]))
    return file


def test_amounts_are_fitted_where_the_file_has_them(visits: Path, tmp_path: Path) -> None:
    done = run("--visits", str(with_amounts(visits, tmp_path / "purchases.csv", 50)), "--form", "bg")
    for words in ("gamma-gamma", "value less what is at risk", "as much as so far, times the base rate"):
        assert words in done.output
    without = run("--visits", str(visits), "--form", "bg").output
    assert "gamma-gamma" not in without
    assert "at risk" not in without


def test_amounts_that_can_t_be_fitted_leave_visits_fitted(visits: Path, tmp_path: Path) -> None:
    done = run("--visits", str(with_amounts(visits, tmp_path / "purchases.csv", 0)), "--form", "bg")
    assert done.exit_code == 0
    assert "Amounts are left out: nobody spent anything at a repeat visit." in done.stderr
    assert "Value at risk is not validated: nobody spent anything within the horizon." in done.stderr
    assert "AUC" in done.stdout


def test_amounts_without_a_mean_leave_value_at_risk_unvalidated(visits: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    lines = [line[:-2] for line in visits.read_text().splitlines()[1:]]
    paid = {line.split(",")[0]: float(np.exp(6 * rng.normal())) + 0.01 for line in lines}
    file = tmp_path / "wild.csv"
    rows = [f"{line},{paid[line.split(',')[0]]:.2f}" for line in lines]
    file.write_text("\n".join(["customer,at,amount", *rows]))
    done = run("--visits", str(file), "--form", "bg")
    assert done.exit_code == 0
    assert "Value at risk is not validated: amounts scatter so much that they have no mean" in done.stderr


def test_the_same_file_gives_the_same_fit(visits: Path) -> None:
    first, again = (json.loads(run("--visits", str(visits), "--json", "--form", "mbg").output) for _ in range(2))
    assert first == again
    assert list(first["forms"]) == ["mbg", "mbg-covariates"]
    validation = first["forms"]["mbg"]["validation"]
    assert validation["brier"]["value"] < first["baseline"]["base_rate_brier"]
    assert 0.5 < validation["auc"]["low"] <= validation["auc"]["value"] <= validation["auc"]["high"] <= 1


def test_the_unit_of_time_changes_alpha_and_nothing_else(visits: Path) -> None:
    days, weeks = (
        json.loads(run("--visits", str(visits), "--json", "--form", "bg", "--unit", unit).output)["forms"]["bg"][
            "fitted"
        ]
        for unit in ("day", "week")
    )
    assert weeks["parameters"]["alpha"] == pytest.approx(days["parameters"]["alpha"] / 7)
    assert weeks["errors"]["alpha"] == pytest.approx(days["errors"]["alpha"] / 7)
    assert weeks["parameters"]["a"] == days["parameters"]["a"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("who,at\na,2025-01-01\n", "has no column customer"),
        ("customer,at\n", "has no visits"),
        ("customer,at\na,2025-01-01\n,2025-01-02\n", "line 3: the customer is empty"),
        ("customer,at\na,soon\n", "line 2: 'soon' is no time. Write 1997-01-18"),
        ("customer,at\na\n", "line 2: None is no time"),
        ("customer,at,amount\na,2025-01-01,much\n", "line 2: 'much' is no amount"),
        ("customer,at\na,2025-01-01\na,2025-01-05\n", "less than the horizon of 90 days"),
        ("customer,at\na,2025-01-01\nb,2025-09-01\n", "no customer came a second time. It needs a longer history"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "visits.csv"
    file.write_text(text)
    error = run("--visits", str(file)).exception
    assert isinstance(error, InvalidInput)
    assert said in str(error)


def test_what_is_stored_nowhere_is_not_activated(visits: Path) -> None:
    done = run("--visits", str(visits), "--activate")
    assert done.exit_code == 2
    assert "--dry-run stores nothing" in done.output
