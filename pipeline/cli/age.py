"""The parameter type of an age or an interval: 30m, 12h, 7d."""

from __future__ import annotations

import re
from datetime import timedelta

import click

_AGE = re.compile(r"(\d{1,6})(s|m|h|d)", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def read_age(text: str) -> timedelta | None:
    """Return an age from a number and a unit (s, m, h, d); None for another text."""
    match = _AGE.fullmatch(text)
    return timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None


class AgeType(click.ParamType):
    """The parameter type of an interval above 0."""

    name = "interval"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read an interval."""
        age = value if isinstance(value, timedelta) else read_age(str(value))
        return age or self.fail(f"{value!r} is no interval such as 30m, 6h or 1d", param, ctx)
