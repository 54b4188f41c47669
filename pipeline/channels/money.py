"""Amounts in a currency's smallest unit."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

#: Number of decimals of currencies that do not have two: ISO 4217, list one.
_EXPONENTS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND"), 0),
    **dict.fromkeys(("VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
_CODE = re.compile(r"[A-Z]{3}")
_LONGS = range(-(2**63), 2**63)


def minor_units(amount: object, currency: str) -> int:
    """Return an amount (a number, or a text with a decimal point) in the smallest unit of an ISO 4217 currency.

    Fractions of that unit are rounded, halves to even. Raises ValueError for a wrong amount or currency.
    """
    if not _CODE.fullmatch(currency):
        raise ValueError("currency must be three capitals (ISO 4217)")
    if isinstance(amount, bool) or not isinstance(amount, int | float | str):
        raise ValueError("must be a number")
    try:
        exact = Decimal(repr(amount) if isinstance(amount, float) else amount)
        units = exact.scaleb(_EXPONENTS.get(currency, 2)).to_integral_value(ROUND_HALF_EVEN)
        if not units.is_finite() or units.adjusted() > 18:
            raise ValueError("is too large")
    except InvalidOperation:
        raise ValueError("must be a number") from None
    if int(units) not in _LONGS:
        raise ValueError("is too large")
    return int(units)
