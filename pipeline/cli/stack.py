"""`pipeline up`, `pipeline down` and `pipeline status`."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from pipeline.cli.stack_progress import progress_to

if TYPE_CHECKING:
    from pipeline.local.server import Status

_folder = click.option(
    "--folder",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    default=Path(),
    help="Folder of .pipeline/.  [default: the current folder]",
)

COLUMNS = ("server", "state", "pid", "address", "since", "log")
STYLES = {"running": "green", "not answering": "yellow", "stopped": "red"}


@click.command()
@_folder
@click.option("--secure", is_flag=True, help="TLS for Kafka and the registry, and a user for Kafka.")
def up(folder: Path, secure: bool) -> None:
    """Start a private Kafka, schema registry and Postgres.

    Everything is under .pipeline/ and on 127.0.0.1 only. Returns when all three answer; they go on running. Servers
    that run already are left alone. Other commands find them by .pipeline/env.
    """
    from pipeline.local.stack import Stack

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    with progress_to(sys.stderr) as progress:
        Stack(folder).up(progress, secure=secure)


@click.command()
@_folder
@click.option("--delete", is_flag=True, help="Also remove their data, logs and settings.")
def down(folder: Path, delete: bool) -> None:
    """Stop the private Kafka, schema registry and Postgres; their data is kept."""
    from pipeline.local.stack import Stack

    with progress_to(sys.stderr) as progress:
        ran = Stack(folder).down(progress, delete=delete)
    click.echo("Stopped." if ran else "Nothing is running.", err=True)


@click.command()
@_folder
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.pass_context
def status(context: click.Context, folder: Path, as_json: bool) -> None:
    """Show the private Kafka, schema registry and Postgres; exits 1 unless all three answer."""
    from pipeline.local.stack import Stack

    rows = [_row(one) for one in Stack(folder).status()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        _table(rows)
    context.exit(0 if all(row["state"] == "running" for row in rows) else 1)


def _row(one: Status) -> dict[str, Any]:
    return {
        "server": one.name,
        "state": one.state,
        "pid": one.pid,
        "address": one.address or None,
        "since": one.since.isoformat(timespec="seconds") if one.since else None,
        "log": str(one.log),
    }


def _table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    for column in COLUMNS:
        table.add_column(column, overflow="fold", no_wrap=column != "log")
    for row in rows:
        texts = ["" if row[column] is None else str(row[column]) for column in COLUMNS]
        table.add_row(*(Text(text, style=STYLES.get(text, "")) for text in texts))
    # in a file or pipe nothing is folded
    Console(width=None if sys.stdout.isatty() else 1000).print(table)


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
