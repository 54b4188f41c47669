"""Parameters of the quarantine commands: places, times and reasons."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from pipeline.cli.age import read_age
from pipeline.contract.reject import REASONS
from pipeline.contract.times import parse_rfc3339
from pipeline.ledger.moments import moment
from pipeline.queries.quarantine import Place

_PLACE = re.compile(r"(\d{1,9})/(\d{1,18})", re.ASCII)


def read_place(text: str) -> Place | None:
    """Return a place from PARTITION/OFFSET, None for another text."""
    match = _PLACE.fullmatch(text)
    return Place(int(match[1]), int(match[2])) if match else None


class PlaceType(click.ParamType):
    """The parameter type PARTITION/OFFSET."""

    name = "PARTITION/OFFSET"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        """Read a place."""
        place = value if isinstance(value, Place) else read_place(str(value))
        return place or self.fail(f"{value!r} is not PARTITION/OFFSET, as 3/17", param, ctx)


class SinceType(click.ParamType):
    """The parameter type of a time, or of an age."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read a time."""
        if isinstance(value, datetime):
            return value
        if (age := read_age(str(value))) is not None:
            return datetime.now(UTC) - age
        try:
            return moment(parse_rfc3339(str(value)))
        except ValueError as error:
            self.fail(f"{value!r} is no age such as 30m, 12h or 7d, and {error}", param, ctx)


def places_argument(*, required: bool) -> Callable[[Any], Any]:
    """Return the places as arguments."""
    return click.argument("places", nargs=-1, required=required, type=PlaceType(), metavar="PARTITION/OFFSET…")


def reason_option(help_text: str) -> Callable[[Any], Any]:
    """Return the option --reason, which can be repeated."""
    return click.option("--reason", "reasons", type=click.Choice(list(REASONS)), multiple=True, help=help_text)
