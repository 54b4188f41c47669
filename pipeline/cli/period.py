"""Parameters that questions about customers share: a period, a touchpoint, and a list of what is behind a number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import click
import orjson

from pipeline.cli.formatting import printable
from pipeline.cli.quarantine.places import SinceType
from pipeline.contract.validate import check_kind
from pipeline.queries.steps import Wanted
from pipeline.touchpoint import CHANNELS

#: Of what goes with what.
DESCRIPTIVE = "This describes what goes together. It is no proof that one is the cause of the other."


class TouchpointType(click.ParamType):
    """The parameter type of a touchpoint: KIND on any channel, or CHANNEL/KIND."""

    name = "touchpoint"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Wanted:
        """Read a touchpoint."""
        if isinstance(value, Wanted):
            return value
        before, slash, after = str(value).partition("/")
        channel, kind = (before, after) if slash else (None, before)
        if channel is not None and channel not in CHANNELS:
            self.fail(f"{channel!r} is no channel; they are {', '.join(CHANNELS)}", param, ctx)
        if check_kind(kind) is not None:
            self.fail(f"{value!r} is neither KIND nor CHANNEL/KIND, as purchase or web/purchase", param, ctx)
        return Wanted(channel, kind)


def period_options(what: str) -> Callable[[Any], Any]:
    """Return the options --since and --until; `what` says of what the time is."""

    def decorate(command: Any) -> Any:
        until = click.option("--until", type=SinceType(), metavar="TIME", help=f"Only {what} before then.")
        since = click.option("--since", type=SinceType(), metavar="TIME", help=f"Only {what} from then on.")
        return since(until(command))

    return decorate


def check_period(since: datetime | None, until: datetime | None) -> None:
    """Raise UsageError for a period that ends before it begins."""
    if since is not None and until is not None and since >= until:
        raise click.UsageError("--since is not before --until, so there is nothing between them.")


def print_list(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, as_json: bool) -> None:
    """Print rows as they come: a line each, the columns with tabs between them, or a JSON object a line."""
    if not as_json:
        click.echo("\t".join(columns))
    for row in rows:
        if as_json:
            click.echo(orjson.dumps(dict(zip(columns, row, strict=True)), option=orjson.OPT_UTC_Z).decode())
        else:
            click.echo("\t".join([printable("" if cell is None else str(cell)) for cell in row]))


class PeriodType(click.ParamType):
    """The parameter type of a period: two times or ages with two dots between them; the second one is exclusive."""

    name = "period"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[datetime, datetime]:
        """Read a period."""
        if isinstance(value, tuple):
            return value
        since, dots, until = str(value).partition("..")
        if not dots:
            self.fail(f"{value!r} is no period such as 56d..28d or 2026-03-01T00:00:00Z..28d", param, ctx)
        begins, ends = [SinceType().convert(each, param, ctx) for each in (since, until)]
        if begins >= ends:
            self.fail(f"{value!r} ends before it begins", param, ctx)
        return begins, ends
