"""What was found, as a table for people, Markdown for the documentation, or JSON for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from functools import wraps
from typing import Any

import click

from bench.machine import machine
from pipeline.cli.output import Column, print_json, print_table


class Form(Enum):
    """How a result is printed."""

    TABLE, MARKDOWN, JSON = "table", "markdown", "json"


def form_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options --json and --markdown, which it gets as `form`."""

    @click.option("--json", "as_json", is_flag=True, help="Print all that was measured as JSON.")
    @click.option("--markdown", is_flag=True, help="Print the table in Markdown.")
    @wraps(command)
    def wrapped(*args: Any, as_json: bool, markdown: bool, **others: Any) -> Any:
        form = Form.JSON if as_json else Form.MARKDOWN if markdown else Form.TABLE
        return command(*args, form=form, **others)

    return wrapped


def report(form: Form, found: Any, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Print `found` as JSON, or its `rows` as a table, on standard output; and on which machine it was found."""
    where = machine()
    if form is Form.JSON:
        print_json({**where, "found": found})
        return
    if form is Form.TABLE:
        print_table(columns, rows)
    else:
        click.echo(_line([column.title for column in columns]))
        click.echo(_line(["---:" if column.right else "---" for column in columns]))
        for row in rows:
            click.echo(_line(row))
    click.echo(f"\n{where['machine']}. {where['date']}.")


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
