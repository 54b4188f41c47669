"""Options that all fits share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import click

from pipeline.cli.quarantine.places import SinceType

Command: TypeAlias = Callable[..., Any]
Option: TypeAlias = Callable[[Command], Command]


def period_options(*, last: str, default_horizon: int, horizon: str) -> Option:
    """Return --until, which is the last `last` by default, and --horizon, which `horizon` explains."""
    return _together(
        click.option(
            "--until", type=SinceType(), metavar="TIME", help=f"Leave out what came later.  [default: the last {last}]"
        ),
        click.option(
            "--horizon", type=click.IntRange(1, 3650), default=default_horizon, show_default=True, metavar="DAYS",
            help=horizon,
        ),
    )  # fmt: skip


def result_options(*, default_version: str) -> Option:
    """Return what says where the result goes, and --seed."""
    return _together(
        click.option("--version", help=f"Name of the new version.  [default: {default_version}]"),
        click.option("--dry-run", is_flag=True, help="Store nothing."),
        click.option(
            "--activate", is_flag=True, help="Make scores with it, if it validates no worse than the active version."
        ),
        click.option("--seed", type=int, default=1, show_default=True, help="Of the bootstrap."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    )


def _together(*options: Option) -> Option:
    """Return options as one decorator, in the order in which --help shows them."""

    def decorated(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorated
