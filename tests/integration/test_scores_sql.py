"""The scores that Postgres computes are those of Python, to 1e-9: `as_of.sql` of each score."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any

import psycopg
import pytest

import pipeline
from pipeline.scores.churn.beyond import NOTHING_BEYOND, Beyond
from pipeline.scores.churn.covariates import Covariates
from pipeline.scores.churn.model import (
    DAY_MS,
    Activity,
    ChurnModel,
    band,
    p_active,
    p_alive,
    probability,
    value_if_stays,
)
from pipeline.scores.churn.model import DEFAULT as CHURN
from pipeline.scores.churn.value import Spend
from pipeline.scores.decay import weight
from pipeline.scores.evidence.sums import Evidence
from pipeline.scores.registry import SCORES
from pipeline.scores.satisfaction.estimate import EPOCH_MS, add, estimate
from pipeline.scores.satisfaction.model import DEFAULT as SATISFACTION
from pipeline.scores.satisfaction.model import SatisfactionModel
from pipeline.scores.satisfaction.share import satisfied_share

FUNCTIONS = Path(pipeline.__file__).parent / "ledger" / "sql" / "functions.sql"
NOW = 1_790_000_000_000
FAR = EPOCH_MS + 200 * 365 * DAY_MS
CHURN_MODELS = (
    CHURN,
    replace(CHURN, r=1e-3, alpha_days=1e-3, a=1e-3, b=1e-3, horizon_days=3650),
    replace(CHURN, r=1e3, alpha_days=1e5, a=1e3, b=1e3, horizon_days=1),
    replace(CHURN, r=500.0, alpha_days=0.01, a=1e-6, b=1e6),
    replace(CHURN, leaves_after_first=True),
    replace(CHURN, r=1e3, alpha_days=1e5, a=1e3, b=1e-3, leaves_after_first=True),
    replace(CHURN, covariates=Covariates(intercept=-0.2, silence=-0.6)),
    replace(CHURN, leaves_after_first=True, covariates=Covariates(intercept=2.0, silence=0.5)),
    replace(CHURN, covariates=Covariates(0.1, -0.2, 0.4, 1.3, 0.5, 0.3, -1.2, 0.8, -0.1)),
    replace(CHURN, half_life_days=365.25, covariates=Covariates(0.0, 0.0, -3.0, 0.0, 2.0, 0.0, 4.0, -2.0, 0.5)),
    replace(CHURN, half_life_days=1.0, covariates=Covariates(money=0.2)),
    replace(CHURN, spend=Spend("EUR", 6.25, 3.74, 1544.0)),
)
SATISFACTION_MODELS = (
    SATISFACTION,
    replace(SATISFACTION, half_life_days=1.0),
    replace(SATISFACTION, half_life_days=36_500.0, prior_mean=100.0, prior_weight=1e-6, answer_sd=1e-6),
    replace(SATISFACTION, half_life_days=33.3333333333, prior_mean=0.0, prior_weight=1e6, answer_sd=1e6),
    replace(SATISFACTION, touchpoint_means={"web/purchase": 91.2, "call_centre/call_ended": 0.0}),
    replace(SATISFACTION, half_life_days=1.0, prior_weight=1e6, touchpoint_means={"web/purchase": 100.0}),
)
#: What answers are about; the last one has no mean of its own.
ABOUT = ("web/purchase", "call_centre/call_ended", "web/x")


@pytest.fixture(scope="module")
def postgres(stack_env: dict[str, str]) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a schema with nothing but the functions in it, gone when the module's tests are over."""
    with psycopg.connect(stack_env["DATABASE_URL"].replace("postgresql+psycopg:", "postgresql:")) as connection:
        connection.execute("create schema scores_of_a_test")
        connection.execute("set local search_path = scores_of_a_test")
        connection.execute("set local time zone 'America/St_Johns'")
        for _ in range(2):
            connection.execute(FUNCTIONS.read_text())
            for score in SCORES:
                connection.execute(score.as_of_sql[0])
        yield connection
        connection.rollback()


def at(ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def drawn_beyond(chance: random.Random, last: int) -> Beyond:
    """Nothing, or sums of what happened up to two centuries before the last activity, or some time after it."""
    if chance.random() < 0.2:
        return NOTHING_BEYOND

    def total(count: int) -> int:
        return sum(
            weight(max(EPOCH_MS, seen - int(10 ** chance.uniform(0, 12))), CHURN.half_life_ms) for _ in range(count)
        )

    seen = last + chance.choice((0, 0, int(10 ** chance.uniform(0, 10))))
    amounts = [total(chance.choice((0, 0, 1, 5))) for _ in range(5)]
    evidence = Evidence(*amounts, chance.randint(-50_000, 50_000) * amounts[-1])
    count = chance.choice((0, 1, 7, 100_000))
    payments = {name: chance.randint(1, 5) for name in chance.sample(["EUR", "USD", "JPY"], chance.randint(0, 3))}
    paid = {name: chance.randint(1, 10**12) for name in payments}
    return Beyond(evidence, count, total(min(count, 7)), payments, paid, seen)


def activities(count: int) -> list[tuple[Activity, int]]:
    """Random ones, from seconds to two centuries, and all combinations of extremes."""
    chance = random.Random(1)
    drawn = []
    for _ in range(count):
        first = chance.randint(EPOCH_MS, NOW)
        last = first + int(10 ** chance.uniform(0, 12))
        closed = None if chance.random() < 0.8 else last + chance.choice((-1, 0, 1))
        as_of = last + int(10 ** chance.uniform(0, 12)) * chance.choice((1, 1, 1, -1))
        drawn.append(
            (Activity(int(10 ** chance.uniform(0, 5)), first, last, closed, drawn_beyond(chance, last)), as_of)
        )
    extremes = [
        (Activity(visits, EPOCH_MS, last), as_of)
        for visits in (1, 2, 3, 1_000, 2**31 - 1)
        for last in (EPOCH_MS, EPOCH_MS + 1, NOW, FAR)
        for as_of in (0, EPOCH_MS, EPOCH_MS + 1, NOW, FAR, FAR + 1)
    ]
    return drawn + extremes


@pytest.mark.parametrize(
    "model",
    CHURN_MODELS,
    ids=[
        "default",
        "tiny",
        "large",
        "steep",
        "leaves after first",
        "leaves at once",
        "milder",
        "stricter",
        "beyond",
        "far beyond",
        "money",
        "spend",
    ],
)
def test_churn_is_the_same_in_sql(postgres: psycopg.Connection[Any], model: ChurnModel) -> None:
    cases = activities(5_000)
    known = [activity.beyond for activity, _ in cases]
    rows = postgres.execute(
        """
        select p_alive(visits, first_at, last_at, as_of, p), p_active(visits, first_at, last_at, as_of, p),
               churn_probability(visits, first_at, last_at, closed_at, as_of, p, beyond_shift(
                   first_at, last_at, seen_at, evidence, activities, weight, payments, paid, as_of, p)),
               value_if_stays(visits, first_at, last_at, as_of, payments, paid, p)
        from unnest(%s::int[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[],
                    %s::timestamptz[], %s::jsonb[], %s::int[], %s::numeric[], %s::jsonb[], %s::jsonb[])
             with ordinality as given (visits, first_at, last_at, closed_at, as_of, seen_at, evidence, activities,
                                       weight, payments, paid, n)
        cross join (values (%s::jsonb)) as parameters (p)
        order by n
        """,
        (
            [activity.visits for activity, _ in cases],
            [at(activity.first_at) for activity, _ in cases],
            [at(activity.last_at) for activity, _ in cases],
            [None if activity.closed_at is None else at(activity.closed_at) for activity, _ in cases],
            [at(as_of) for _, as_of in cases],
            [at(beyond.seen_at) for beyond in known],
            # as rows have it, and as rows of before, which are as of 1990
            [
                json.dumps(beyond.evidence._asdict() if number % 4 == 0 else beyond.evidence.numbers())
                for number, beyond in enumerate(known)
            ],
            [beyond.activities for beyond in known],
            [str(beyond.activity_weight) for beyond in known],
            [json.dumps(beyond.payments) for beyond in known],
            [json.dumps(beyond.paid) for beyond in known],
            json.dumps(model.parameters()),
        ),
    ).fetchall()
    assert len(rows) == len(cases)
    for (activity, as_of), row in zip(cases, rows, strict=True):
        expected = (
            p_alive(activity, as_of, model),
            p_active(activity, as_of, model),
            probability(activity, as_of, model),
        )
        *row, value = row
        known_value = value_if_stays(activity, as_of, model)
        assert value is known_value is None or value == pytest.approx(known_value, rel=1e-9), (activity, as_of)
        assert tuple(row) == pytest.approx(expected, rel=1e-9, abs=1e-9), (activity, as_of)


def test_bands_are_the_same_in_sql(postgres: psycopg.Connection[Any]) -> None:
    values = [0.0, 0.4999999999999999, 0.5, 0.7999999999999999, 0.8, 0.8000000000000002, 1.0]
    rows = postgres.execute(
        "select churn_band(value, %s::jsonb) from unnest(%s::float8[]) with ordinality as given (value, n) order by n",
        (json.dumps(CHURN.parameters()), values),
    ).fetchall()
    assert [row[0] for row in rows] == [band(value, CHURN) for value in values]
    assert postgres.execute("select churn_band(null, '{}')").fetchone() == (None,)


@pytest.mark.parametrize(
    "model", SATISFACTION_MODELS, ids=["default", "quick", "slow", "odd", "by touchpoint", "quick by touchpoint"]
)
def test_satisfaction_is_the_same_in_sql(postgres: psycopg.Connection[Any], model: SatisfactionModel) -> None:
    chance = random.Random(2)
    cases = []
    for _ in range(1_000):
        newest = chance.choice((EPOCH_MS, NOW, chance.randint(EPOCH_MS, NOW)))
        given = [
            (
                max(EPOCH_MS, newest - int(10 ** chance.uniform(0, 12))),
                chance.choice((0, 100_000, 73_210)),
                model,
                chance.choice(ABOUT),
            )
            for _ in range(chance.randint(1, 8))
        ]
        answers = reduce(lambda sofar, answer: add(sofar, *answer), given, None)
        assert answers is not None
        cases.append((answers, chance.choice((0, newest, NOW, FAR, answers.last_at + chance.randint(0, 10**11)))))
    rows = postgres.execute(
        """
        select score, low, high, answers
        from unnest(%s::int[], %s::numeric[], %s::numeric[], %s::jsonb[], %s::timestamptz[], %s::timestamptz[])
             with ordinality as given (answered, weight, weighted, about, last_at, as_of, n)
        cross join lateral satisfaction_score(answered, weight, weighted, about, last_at, as_of, %s::jsonb)
        order by n
        """,
        (
            [answers.answered for answers, _ in cases],
            [str(answers.weight) for answers, _ in cases],
            [str(answers.weighted) for answers, _ in cases],
            [json.dumps(dict(answers.about)) for answers, _ in cases],
            [at(answers.last_at) for answers, _ in cases],
            [at(as_of) for _, as_of in cases],
            json.dumps(model.parameters()),
        ),
    ).fetchall()
    assert len(rows) == len(cases)
    for (answers, as_of), row in zip(cases, rows, strict=True):
        assert row == pytest.approx(tuple(estimate(answers, as_of, model)), rel=1e-9, abs=1e-9), (answers, as_of)


def test_nobody_without_an_answer_gets_a_score(postgres: psycopg.Connection[Any]) -> None:
    for nothing in ("0, 0, 0, '{}', null", "null, null, null, null, null"):
        parameters = json.dumps(SATISFACTION.parameters())
        rows = postgres.execute(f"select * from satisfaction_score({nothing}, now(), %s::jsonb)", (parameters,))
        assert rows.fetchall() == []


def test_sums_of_answers_come_back_from_numeric_as_they_were(postgres: psycopg.Connection[Any]) -> None:
    answers = add(add(None, NOW, 73_210, SATISFACTION_MODELS[1]), EPOCH_MS, 1, SATISFACTION_MODELS[1])
    row = postgres.execute("select %s::numeric, %s::numeric", (str(answers.weight), str(answers.weighted))).fetchone()
    assert row is not None
    assert tuple(map(int, row)) == (answers.weight, answers.weighted)


def test_shares_are_the_same_in_sql(postgres: psycopg.Connection[Any]) -> None:
    cases = [(satisfied, answers) for answers in range(1, 40) for satisfied in range(answers + 1)]
    cases += [(0, 10**15), (1, 10**15), (10**15 // 3, 10**15), (10**15, 10**15)]
    rows = postgres.execute(
        """
        select wilson_low(satisfied, answers), wilson_high(satisfied, answers)
        from unnest(%s::bigint[], %s::bigint[]) with ordinality as given (satisfied, answers, n) order by n
        """,
        ([satisfied for satisfied, _ in cases], [answers for _, answers in cases]),
    ).fetchall()
    for (satisfied, answers), row in zip(cases, rows, strict=True):
        share = satisfied_share(satisfied, answers)
        assert share is not None
        assert row == pytest.approx((share.low, share.high), rel=1e-9, abs=1e-12)
    assert postgres.execute("select wilson_low(0, 0), wilson_high(0, 0)").fetchone() == (None, None)


def test_the_functions_are_pure_and_can_run_in_parallel(postgres: psycopg.Connection[Any]) -> None:
    rows = postgres.execute(
        "select proname, provolatile, proparallel from pg_proc where pronamespace = 'scores_of_a_test'::regnamespace"
    ).fetchall()
    assert len(rows) > 10
    assert {row[1:] for row in rows} == {("i", "s")}
