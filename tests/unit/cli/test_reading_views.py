"""The cells of touchpoints, customers at risk and what follows giving up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pipeline.cli import at_risk, touchpoints
from pipeline.cli.customer import sureness
from pipeline.cli.demo_report import following
from pipeline.queries.abandonment import AbandonmentPoint, NextTouchpoint
from pipeline.queries.at_risk import AtRisk
from pipeline.queries.touchpoints import TouchpointView
from pipeline.scores.churn.reasons import Reason

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def touchpoint(**more: object) -> TouchpointView:
    plain = TouchpointView(
        stage="during", channel="web", kind="purchase", catalogued=True, events=1_000, score=None, low=None, high=None,
        answers=0, satisfied=0, failures=0, failed_share=0.0, abandoned=0, abandoned_share=0.0, waits=0,
        wait_ms_mean=None, duration_ms_mean=None, hurt=0.0, hurt_by=None,
    )  # fmt: skip
    return plain._replace(**more)  # type: ignore[arg-type]


def cells(row: object) -> dict[str, str]:
    titles = [column.title for column in touchpoints.COLUMNS]
    return dict(zip(titles, [c if isinstance(c, str) else c.text for c in row], strict=True))  # type: ignore[attr-defined]


def test_what_was_never_asked_or_never_failed_stays_empty() -> None:
    (row,) = touchpoints.rows([touchpoint()])
    assert [title for title, text in cells(row).items() if text] == ["stage", "channel", "kind", "volume"]


def test_satisfaction_stands_with_its_interval_and_number_of_answers() -> None:
    (row,) = touchpoints.rows([touchpoint(score=0.5, low=0.402, high=0.598, answers=100, satisfied=50, hurt=402.0)])
    shown = cells(row)
    assert (shown["satisfied"], shown["95 %"], shown["answers"], shown["bad ≥"]) == ("50 %", "40–60 %", "100", "402")


def test_an_uncatalogued_kind_is_marked() -> None:
    (row,) = touchpoints.rows([touchpoint(kind="hologram_seen", catalogued=False)])
    assert cells(row)["kind"] == "hologram_seen *"


def test_a_customer_at_risk_stands_with_all_reasons() -> None:
    one = AtRisk(
        customer="customer:1",
        probability=0.83,
        band="high",
        horizon_days=90,
        visits=12,
        last_active_at=NOW - timedelta(days=20),
        account_closed_at=None,
        satisfaction=61.4,
        risen=0.5,
        losing=1.0,
        value=120_000.0,
        value_at_risk=99_600.4,
        currency="EUR",
        reasons=[Reason("silence", "silent for 20 days"), Reason("returned", "has come back")],
    )
    columns, [with_value] = at_risk.table([one], NOW)
    assert [(column.title, cell) for column, cell in zip(columns, with_value, strict=True)][-2] == (
        "value at risk", "996.00 EUR",
    )  # fmt: skip
    assert at_risk.table([one._replace(value_at_risk=None)], NOW)[0] == at_risk.COLUMNS
    (row,) = at_risk.rows([one], NOW)
    shown = [cell if isinstance(cell, str) else cell.text for cell in row]
    assert shown == ["customer:1", " 83 % high", "12", "20 days ago", "61", "silent for 20 days; has come back"]


def test_the_bands_are_counted_the_worst_first() -> None:
    assert at_risk.summary({"low": 7, "high": 1, "medium": 2}) == (
        "10 customers: 1 at high risk, 2 at medium risk, 7 at low risk"
    )


def test_a_narrow_interval_is_better_known_than_a_wide_one() -> None:
    assert [sureness(50, 50 + width) for width in (20, 20.1, 40, 41, 100)] == [
        "well known", "roughly known", "roughly known", "little known", "little known",
    ]  # fmt: skip


def test_what_customers_do_next_is_said_by_share_with_browsing_as_one() -> None:
    then = [
        NextTouchpoint(None, None, 4),
        NextTouchpoint("web", "page_viewed", 3),
        NextTouchpoint("web", "product_viewed", 2),
        NextTouchpoint("branch", "x", 1),
    ]
    given = AbandonmentPoint("web", "checkout_abandoned", 10, None, then)
    assert following(given) == "50 % web browsing, 40 % nothing more, 10 % branch x"
