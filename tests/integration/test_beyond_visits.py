"""What churn risk knows beyond visits: in the tables, in SQL, in a fit, in the audit, and for customers of before."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from harness import Pipe
from sqlalchemy import text

from pipeline.journey import policy
from pipeline.ledger.moments import ms
from pipeline.queries.customers import profile
from pipeline.queries.lately import weighing
from pipeline.queries.visits import followed
from pipeline.scores.churn.beyond import Beyond, amounts, features
from pipeline.scores.churn.covariates import Covariates
from pipeline.scores.churn.model import DAY_MS, DEFAULT, Activity, ChurnModel, probability
from pipeline.scores.evidence.sums import Evidence
from pipeline.touchpoint import Touchpoint

pytestmark = pytest.mark.long

WEIGHED = Covariates(0.1, -0.2, 0.4, 1.3, 0.5, 0.3, -1.2, 0.8, -0.1)
MODEL = ChurnModel(
    version="weighed", source="a test", r=0.4, alpha_days=20.0, a=0.8, b=2.4, covariates=WEIGHED, horizon_days=14
)


def activities(pipe: Pipe) -> dict[str, Activity]:
    return {
        row.customer: Activity(
            row.visits, ms(row.first_active_at), ms(row.last_active_at),
            None if row.account_closed_at is None else ms(row.account_closed_at),
            Beyond(
                Evidence.of(row.evidence), row.activities, int(row.activity_weight), row.payments, row.paid,
                ms(row.last_seen_at),
            ),
        )
        for row in pipe.sql("SELECT * FROM churn_risk")
    }  # fmt: skip


def purchases(pipe: Pipe) -> Sequence[Any]:
    return pipe.sql("""
        SELECT customer, (step ->> 'at')::timestamptz AS at, (step ->> 'amount_minor')::int AS amount
        FROM journey CROSS JOIN LATERAL jsonb_array_elements(steps) AS step
        WHERE merged_into IS NULL AND moved_to IS NULL AND step ->> 'kind' = 'purchase' AND step ->> 'currency' = 'EUR'
          AND step ->> 'outcome' NOT IN ('failed', 'abandoned') AND (step ->> 'amount_minor')::int > 0
    """)


def test_the_tables_sql_a_fit_and_the_audit_know_the_same_beyond_visits(pipe: Pipe) -> None:
    # with an end, so that the fit is the same each time
    options = (
        "--customers",
        "200",
        "--seed",
        "4",
        "--days",
        "42",
        "--disorder",
        "0.1",
        "--end",
        "2026-11-20T00:00:00Z",
    )
    pipe.run("simulate", "--events", "6000", *options)
    pipe.work()
    known = activities(pipe)
    [sums] = pipe.sql("""
        SELECT count(*) FILTER (WHERE evidence ? 'help') AS help,
               count(*) FILTER (WHERE evidence ? 'complaints') AS complaints,
               count(*) FILTER (WHERE evidence ? 'bad_answers') AS bad, count(*) FILTER (WHERE paid <> '{}') AS paid
        FROM churn_risk
    """)
    assert all(sums)
    assert pipe.sql("""
        SELECT customer FROM churn_risk AS risk FULL JOIN customer_evidence AS e USING (customer)
        WHERE risk.evidence IS DISTINCT FROM coalesce(e.evidence, '{}') AND risk.customer IS NOT NULL
    """) == []  # fmt: skip

    # a fit sees, as of a moment, what the live score knows
    at = datetime.fromtimestamp(max(each.beyond.seen_at for each in known.values()) / 1000 + 3 * 86_400, UTC)
    with pipe.engine.connect() as connection:
        how = weighing(connection, policy.read(None), DEFAULT.half_life_days)
        histories = followed(connection, at, at, beyond=how).histories
        customers = connection.execute(text("SELECT customer FROM churn_risk ORDER BY customer")).scalars().all()
    live = [
        features(amounts(it.beyond, it.first_at, it.last_at, ms(at), DEFAULT.half_life_ms))
        for it in [known[customer] for customer in customers]
    ]
    assert histories.beyond is not None
    assert np.allclose(histories.beyond, np.array(live), atol=1e-6)

    # a fit stores what it has learned, and the command says it
    done = pipe.run("fit", "churn", "--horizon", "14", "--version", "beyond", "--json")
    fitted = json.loads(done.stdout)
    with_more = [each["fitted"]["covariates"] for each in fitted["forms"].values() if each["fitted"]["covariates"]]
    assert with_more, done.stderr
    assert all(each["errors"]["help"] is not None for each in with_more)
    assert "complaints" in pipe.run("models", "show", "churn", "beyond").stdout

    # it has learned what customers spend, and the list by value is in the order of what is at risk
    assert (fitted["spend"]["currency"], fitted["spend"]["customers"]) == ("EUR", len(pipe.sql(
        "SELECT FROM churn_risk WHERE (payments ->> 'EUR')::int > 0"
    )))  # fmt: skip
    assert fitted["value"]["currency"] == "EUR" and fitted["value"]["model"]["total"]["value"] > 0
    since, until = (datetime.fromisoformat(fitted[name]) for name in ("learned_until", "until"))
    visits = "SELECT customer FROM journey WHERE is_visit AND started_at <= :since AND merged_into IS NULL"
    visitors = {row.customer for row in pipe.sql(f"{visits} AND moved_to IS NULL", since=since)}
    assert fitted["value"]["spent"] == sum(
        row.amount for row in purchases(pipe) if since < row.at <= until and row.customer in visitors
    )
    assert "value less what is at risk" in pipe.run("models", "show", "churn", "beyond").stdout
    # up to an earlier moment, what was bought later is not known
    earlier = json.loads(
        pipe.run("fit", "churn", "--horizon", "10", "--until", "2026-11-10T00:00:00Z", "--dry-run", "--json").stdout
    )
    before = {row.customer for row in purchases(pipe) if row.at < datetime(2026, 11, 10, tzinfo=UTC)}
    assert earlier["spend"]["customers"] == len(before) < fitted["spend"]["customers"]
    refused = pipe.run("at-risk", "--by", "value", check=False)
    assert refused.returncode == 2 and "does not know what customers spend" in refused.stderr
    with pipe.engine.begin() as connection:
        stored = connection.execute(text("SELECT parameters FROM model WHERE version = 'beyond'")).scalar_one()
        assert stored["spend_q"] > 1 and stored["spend_gamma:EUR"] > 0
        spends = text(
            "UPDATE model SET parameters = parameters || jsonb_build_object('spend_p', CAST(:p AS float8), "
            "'spend_q', CAST(:q AS float8), 'spend_gamma:EUR', CAST(:gamma AS float8)) WHERE version = 'cdnow-1'"
        )
        connection.execute(spends, {"p": stored["spend_p"], "q": stored["spend_q"], "gamma": stored["spend_gamma:EUR"]})
    listed = json.loads(pipe.run("at-risk", "--by", "value", "--json", "--limit", "1000").stdout)
    at_stake = [each["value_at_risk"] for each in listed]
    assert at_stake == sorted(at_stake, reverse=True) and at_stake[0] > 0
    assert all(
        each["value_at_risk"] == pytest.approx(each["value"] * each["probability"]) and each["currency"] == "EUR"
        for each in listed
    )
    assert "value at risk" in pipe.run("at-risk", "--by", "value", "--limit", "3").stdout
    with pipe.engine.begin() as connection:
        connection.execute(text(
            "UPDATE model SET parameters = parameters - ARRAY['spend_p', 'spend_q', 'spend_gamma:EUR'] "
            "WHERE version = 'cdnow-1'"
        ))  # fmt: skip

    # with coefficients, Postgres, Python, reasons and the audit agree
    with pipe.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO model (name, version, parameters, source, fitted_at, active) "
                 "VALUES ('churn', 'weighed', CAST(:parameters AS jsonb), 'a test', now(), false)"),
            {"parameters": json.dumps(MODEL.parameters())},
        )  # fmt: skip
    try:
        pipe.run("models", "activate", "churn", "weighed")
        pipe.run("simulate", "--events", "1500", "--customers", "200", "--seed", "4", "--days", "42")
        pipe.run("simulate", "--events", "1500", "--customers", "60", "--seed", "9", "--days", "42")
        pipe.work()
        known = activities(pipe)
        now = datetime.fromtimestamp(int(time.time()), UTC)
        rows = pipe.sql("SELECT * FROM churn_risk_at(:now) WHERE model = 'churn weighed'", now=now)
        assert len(rows) > 50
        for row in rows:
            assert row.probability == pytest.approx(probability(known[row.customer], ms(now), MODEL), abs=1e-9)
        codes = {
            reason["code"] for row in pipe.sql("SELECT reasons FROM churn_risk WHERE model = 'churn weighed'")
            for reason in row.reasons
        }  # fmt: skip
        assert codes & {"help", "complaints", "failures", "satisfaction", "money"}
        with pipe.engine.connect() as connection:
            view = profile(connection, rows[0].customer, now, 1)
        assert view is not None and view.churn_risk is not None and view.churn_risk.reasons
        assert pipe.run("at-risk", "--limit", "5").returncode == 0
        audited = pipe.run("audit", "--json", check=False)
        assert json.loads(audited.stdout)["differences"] == []

        # what the tables were not told is found, and what they have of before means nothing
        with pipe.engine.begin() as connection:
            connection.execute(text("UPDATE churn_risk SET evidence = '{}', activities = 0, activity_weight = 0"))
        found = json.loads(pipe.run("audit", "--json", check=False).stdout)["differences"]
        assert {each["column"] for each in found} >= {"evidence", "activities", "activity_weight"}
    finally:
        with pipe.engine.begin() as connection:
            connection.execute(text("DELETE FROM model WHERE name = 'churn' AND version <> 'cdnow-1'"))
            connection.execute(text("UPDATE model SET active = true WHERE name = 'churn'"))


def test_evidence_from_before_the_first_visit_counts_whatever_came_first(pipe: Pipe) -> None:
    now = round(time.time() * 1000)
    complaint = Touchpoint(
        "c", "crm", now - 20 * DAY_MS, channel="call_centre", kind="complaint_opened", customer_id="c1"
    )
    visit = Touchpoint("v", "shop", now - 5 * DAY_MS, channel="web", kind="page_viewed", customer_id="c1")
    pipe.publish([complaint])
    pipe.work()
    assert pipe.sql("SELECT * FROM churn_risk") == []
    [before] = pipe.sql("SELECT * FROM customer_evidence")
    pipe.publish([visit])
    pipe.work()
    [risk] = pipe.sql("SELECT * FROM churn_risk")
    assert risk.evidence == before.evidence
    [lately] = pipe.sql("SELECT complaints, help FROM customer_evidence_at(now())")
    assert (lately.complaints, lately.help) == (pytest.approx(2 ** (-20 / 30), abs=1e-3), 0)
    assert json.loads(pipe.run("audit", "--json").stdout)["differences"] == []
