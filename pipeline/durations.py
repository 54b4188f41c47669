"""Durations as settings have them: a whole number and a unit, as 30m or 3d."""

from __future__ import annotations

import re

DAY_MS = 86_400_000
_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": DAY_MS}
_DURATION = re.compile(r"(\d+)\s*(ms|s|m|h|d)")


def duration_ms(text: object, place: str, most_days: int) -> int:
    """Return a duration in milliseconds, at most `most_days`; `place` names it in the ValueError."""
    match = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f'{place} is {text!r}; it takes a whole number and a unit, as "30m" (ms, s, m, h, d)')
    value = int(match[1]) * _UNITS_MS[match[2]]
    if value > most_days * DAY_MS:
        raise ValueError(f"{place} is {text!r}; at most {most_days}d")
    return value
