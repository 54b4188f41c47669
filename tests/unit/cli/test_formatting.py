"""How numbers, times and texts are put for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.cli import formatting


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1_000, "1 s"),
        (59_999, "59 s"),
        (185_000, "3 min 5 s"),
        (3_600_000, "1 h"),
        (3_605_000, "1 h"),
        (3_660_000, "1 h 1 min"),
        (86_400_000, "1 day"),
        (187_200_000, "2 days 4 h"),
    ],
)
def test_a_span_is_said_in_its_two_largest_units(milliseconds: int, said: str) -> None:
    assert formatting.span(milliseconds) == said


@pytest.mark.parametrize(
    ("share", "said"), [(0.0, "0 %"), (0.0001, "<1 %"), (0.5, "50 %"), (0.9999, ">99 %"), (1.0, "100 %"), (None, "")]
)
def test_a_share_is_never_rounded_to_none_or_all(share: float | None, said: str) -> None:
    assert formatting.share(share) == said


def test_control_characters_can_not_reach_a_terminal() -> None:
    said = formatting.printable("a\x1b[31m\x07\nb\x9b\u202ec\udc80")
    assert said == "a\\x1b[31m\\x07\\nb\\x9b\\u202ec\\udc80"


def test_letters_of_all_languages_stay_as_they_are() -> None:
    assert formatting.printable("Zoë 李 été") == "Zoë 李 été"


@pytest.mark.parametrize(("hours", "said"), [(1, "today"), (25, "yesterday"), (49, "2 days ago")])
def test_ago_counts_whole_days(hours: int, said: str) -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    assert formatting.ago(now - timedelta(hours=hours), now) == said


@pytest.mark.parametrize(("minor", "said"), [(5, "0.05 EUR"), (123_456, "1,234.56 EUR"), (-250, "-2.50 EUR")])
def test_an_amount_keeps_its_sign_and_cents(minor: int, said: str) -> None:
    assert formatting.amount(minor, "EUR") == said
