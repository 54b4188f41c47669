"""Models fitted on the company's own history: stored, compared, activated, and used by the next worker."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from harness import Pipe, empty_pipe, wait_until
from sqlalchemy import Engine, text

from pipeline.touchpoint import Feedback, Touchpoint

DAY = timedelta(days=1)
END = datetime(2026, 11, 1, tzinfo=UTC)
CUSTOMERS = 150


def purchases() -> Iterator[Touchpoint]:
    """Orders of a year; every third customer leaves."""
    rng = Random(1)
    for customer in range(CUSTOMERS):
        at = END - rng.uniform(200, 360) * DAY
        until = at + rng.uniform(1, 150) * DAY if customer % 3 == 0 else END
        number = 0
        while at < until:
            number += 1
            yield Touchpoint(
                f"{customer}-{number}", "shop", round(at.timestamp() * 1000), channel="web", kind="page_viewed",
                customer_id=f"c{customer}",
            )  # fmt: skip
            at += max(rng.expovariate(1 / (10 + customer % 30)), 0.1) * DAY


def metrics_page(pipe: Pipe) -> str:
    """What the last worker shows."""
    said = [json.loads(line) for line in pipe.log().splitlines() if line.startswith("{")]
    [address] = [each["address"] for each in said if each["event"] == "metrics"]
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


@pytest.fixture(scope="module")
def fitted(stack_env: dict[str, str], initialised: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipe]:
    # emptied, since the audit reads the whole topic
    with empty_pipe(stack_env, initialised, tmp_path_factory.mktemp("models")) as pipe:
        pipe.publish(purchases())
        pipe.work()
        yield pipe
    with initialised.begin() as connection:
        connection.execute(text("DELETE FROM model WHERE fit IS NOT NULL"))
        connection.execute(text("UPDATE model SET active = true WHERE name = 'churn' AND version = 'cdnow-1'"))


def test_a_fit_on_the_tables_is_stored_and_activated_and_makes_scores(fitted: Pipe) -> None:
    done = fitted.run("fit", "churn", "--until", "2026-11-01T00:00:00Z", "--horizon", "60", "--version", "own")
    assert f"{CUSTOMERS} customers" in done.stdout
    assert "active: cdnow-1" in done.stdout
    assert "Stored as churn own, not active" in done.stdout
    again = fitted.run("fit", "churn", "--version", "own", check=False)
    assert again.returncode == 2
    assert "There is a model churn own already" in again.stderr

    assert "own" in fitted.run("models", "list").stdout
    shown = json.loads(fitted.run("models", "show", "churn", "own", "--json").stdout)
    assert (shown["active"], shown["parameters"]["horizon_days"]) == (False, 60)
    best = shown["fit"]["forms"][shown["fit"]["best"]]
    assert best["fitted"]["parameters"]["r"] == shown["parameters"]["r"]
    own, active = best["validation"]["brier"]["value"], shown["fit"]["active"]["validation"]["brier"]["value"]
    assert own < active  # music buyers of 1997 came less often

    shipped = fitted.run("models", "check", "--until", "2026-11-01T00:00:00Z", check=False)
    assert "churn cdnow-1: foretold on 2026-08-03" in shipped.stdout  # 90 days
    assert "when it was fitted" not in shipped.stdout
    assert "satisfaction 1 can't be checked. The tables hold no answers yet." in shipped.stdout
    assert "expected_satisfaction can't be checked. It was not fitted" in shipped.stdout
    alone = fitted.run("models", "check", "--model", "expected", check=False)
    assert (alone.returncode, "It was not fitted" in alone.stderr) == (2, True)

    worker = fitted.start_worker("--sweep", "1", "--check-models", "0.0005")
    wait_until(lambda: "partitions taken" in fitted.log(), "it works")
    assert "Workers take it up within seconds" in fitted.run("models", "activate", "churn", "own").stdout
    assert "active already" in fitted.run("models", "activate", "churn", "own").stdout
    wait_until(lambda: "model taken up" in fitted.log(), "it takes the model up")
    at = round(END.timestamp() * 1000)
    fitted.publish([Touchpoint("new", "shop", at, channel="web", kind="page_viewed", customer_id="c1")])
    made_by = "SELECT model FROM churn_risk WHERE customer = 'customer:c1'"
    wait_until(lambda: fitted.sql(made_by) == [("churn own",)], "it makes scores with it")
    differs = """
        SELECT count(*) AS n FROM churn_risk AS risk JOIN model ON name = 'churn' AND version = 'own'
        WHERE risk.model <> 'churn own' AND band <> churn_band(churn_probability(
            visits, first_active_at, last_active_at, account_closed_at, now(), parameters, beyond_shift(
                first_active_at, last_active_at, last_seen_at, evidence, activities, activity_weight, payments, paid,
                now(), parameters)), parameters)
    """
    wait_until(lambda: fitted.sql(differs)[0].n == 0, "the sweep judges everybody by it")
    wait_until(
        lambda: 'pipeline_model_brier{model="churn",version="own"} 0.' in metrics_page(fitted), "it checks the model"
    )
    assert 'pipeline_model_drift{input="falling use",model="churn",version="own"} 0.' in metrics_page(fitted)
    worker.terminate()
    assert worker.wait(30) == 0, fitted.log()
    checked = fitted.run("models", "check", "--model", "churn_risk", "--until", "2026-11-01T00:00:00Z")
    assert "when it was fitted" in checked.stdout
    assert checked.stdout.endswith("It holds.\n")
    audited = fitted.run("audit", check=False)
    assert audited.returncode == 0, audited.stdout


def test_a_version_that_validates_worse_is_activated_only_if_that_is_wanted(fitted: Pipe) -> None:
    fitted.run("models", "activate", "churn", "cdnow-1")
    fitted.run("fit", "churn", "--version", "bad", "--horizon", "60")
    with fitted.engine.begin() as connection:  # as if it had been compared with a better one
        connection.execute(
            text("UPDATE model SET fit = jsonb_set(fit, :path, '0.001') WHERE version = 'bad'"),
            {"path": ["active", "validation", "brier", "value"]},
        )
    refused = fitted.run("models", "activate", "churn", "bad", check=False)
    assert refused.returncode == 2
    assert "validated worse than the version that was active then" in refused.stderr
    assert "Active: churn bad" in fitted.run("models", "activate", "churn", "bad", "--worse").stdout
    unknown = fitted.run("models", "activate", "churn", "2020", check=False)
    assert unknown.returncode == 2
    assert "There is no model churn 2020. There are: churn cdnow-1" in unknown.stderr


def test_customers_who_are_not_what_a_version_was_fitted_to_are_noticed(fitted: Pipe) -> None:
    fitted.run("fit", "churn", "--version", "early", "--horizon", "60", "--until", "2026-06-01T00:00:00Z")
    fitted.run("models", "activate", "churn", "early", "--worse")
    checked = fitted.run("models", "check", "--json", check=False)
    assert checked.returncode == 1
    found = json.loads(checked.stdout)[0]
    assert found["model"] == "churn"
    assert found["drift"]["days since the first visit"] > 0.25  # they have grown older since
    assert any("“days since the first visit” is not what it was fitted to" in each for each in found["findings"])
    too_early = fitted.run("models", "check", "--until", "2025-11-20T00:00:00Z", check=False)
    assert (too_early.returncode, "has not had its time yet" in too_early.stderr) == (2, True)


def test_a_model_by_which_the_tables_would_mean_something_else_is_not_activated(fitted: Pipe) -> None:
    with fitted.engine.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO model (name, version, parameters, source, fitted_at, active)
                SELECT name, change.version, model.parameters || CAST(change.parameters AS jsonb), 'test', now(), false
                FROM model, (VALUES ('slow', '{"half_life_days": 365}'), ('steady', '{"prior_weight": 5}'))
                     AS change (version, parameters)
                WHERE name = 'satisfaction' AND model.version = '1'
            """)
        )
    try:
        at = round(END.timestamp() * 1000)
        fitted.publish(
            [
                Touchpoint(
                    "said", "survey", at, channel="web", kind="survey_answered", customer_id="c1",
                    feedback=Feedback("csat", 5.0),
                )
            ]
        )  # fmt: skip
        fitted.work()
        assert "Active: satisfaction steady" in fitted.run("models", "activate", "satisfaction", "steady").stdout
        refused = fitted.run("models", "activate", "satisfaction", "slow", check=False)
        assert refused.returncode == 2
        assert "The tables were made with satisfaction 1, and by satisfaction slow" in refused.stderr
        assert "pipeline rebuild" in refused.stderr
        with fitted.engine.begin() as connection:
            connection.execute(text("DELETE FROM satisfaction"))
        assert "Active: satisfaction slow" in fitted.run("models", "activate", "satisfaction", "slow").stdout
    finally:
        fitted.run("models", "activate", "satisfaction", "1")
        with fitted.engine.begin() as connection:
            connection.execute(text("DELETE FROM model WHERE name = 'satisfaction' AND version <> '1'"))
