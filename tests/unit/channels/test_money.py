from __future__ import annotations

import pytest

from pipeline.channels.money import minor_units


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [
        (12.34, "EUR", 1234),
        ("12.34", "USD", 1234),
        (12, "EUR", 1200),
        (1200, "JPY", 1200),
        (1.234, "KWD", 1234),
        (0.1 + 0.2, "EUR", 30),
        (1.005, "EUR", 100),
        (1.015, "EUR", 102),
        (-3.5, "EUR", -350),
        ("1e2", "EUR", 10_000),
    ],
)
def test_an_amount_is_in_the_currencys_smallest_unit(amount: object, currency: str, units: int) -> None:
    assert minor_units(amount, currency) == units


@pytest.mark.parametrize(
    ("amount", "currency", "said"),
    [
        ("12,34", "EUR", "must be a number"),
        (True, "EUR", "must be a number"),
        (None, "EUR", "must be a number"),
        ("NaN", "EUR", "must be a number|too large"),
        (float("inf"), "EUR", "must be a number|too large"),
        ("1e30", "EUR", "is too large"),
        (2**63, "JPY", "is too large"),
        (1, "eur", "currency must be three capitals"),
        (1, "EURO", "currency must be three capitals"),
    ],
)
def test_what_is_no_amount_is_refused(amount: object, currency: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        minor_units(amount, currency)
