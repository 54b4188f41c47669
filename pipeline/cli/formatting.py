"""Formats numbers, times and texts for people."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ((86_400_000, "day"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))


def printable(text: str) -> str:
    """Return a text that is harmless on a terminal: control characters are escaped."""
    return "".join([c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text])


def span(milliseconds: float) -> str:
    """Return a duration in its two largest units: `850 ms`, `12 s`, `3 min 5 s`, `2 days 4 h`."""
    left = round(milliseconds)
    if left < 1_000:
        return f"{left} ms"
    said: list[str] = []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count:
            said.append(f"{count} {unit}" + ("s" if unit == "day" and count > 1 else ""))
        if len(said) == 2 or (said and not count):
            break
    return " ".join(said)


def share(value: float | None) -> str:
    """Return a share of 0 to 1 in per cent; only exact values are shown as 0 % and 100 %."""
    if value is None:
        return ""
    if 0 < value < 0.005:
        return "<1 %"
    if 0.995 < value < 1:
        return ">99 %"
    return f"{value * 100:.0f} %"


def interval(low: float | None, high: float | None) -> str:
    """Return the ends of a share's interval, in per cent."""
    return "" if low is None or high is None else f"{low * 100:.0f}–{high * 100:.0f} %"


def moment(at: datetime, *, seconds: bool = True) -> str:
    """Return a moment in UTC, without the zone."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def amount(minor: int, currency: str | None) -> str:
    """Return an amount, given in the smallest unit, with two decimal places, which most currencies have."""
    sign = "-" if minor < 0 else ""
    return f"{sign}{abs(minor) // 100:,}.{abs(minor) % 100:02d} {currency or ''}".rstrip()


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return a number and its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def ago(at: datetime, now: datetime) -> str:
    """Return how long ago, in whole days from the first."""
    days = (now - at).days
    return f"{days} days ago" if days > 1 else "yesterday" if days == 1 else "today"
