"""Results on standard output: tables and texts for people, JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import orjson

from pipeline.cli.words import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

#: In a file or pipe nothing is folded.
_UNFOLDED = 1000


class Cell(NamedTuple):
    """A table's cell with a style of rich."""

    text: str
    style: str = ""


class Column(NamedTuple):
    """A table's column; numbers stand on the right, long texts may be folded."""

    title: str
    right: bool = False
    folds: bool = False


def console() -> Console:
    """Standard output: as wide as the terminal, or with nothing folded elsewhere; colours on a terminal only."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else _UNFOLDED, highlight=False, markup=False, emoji=False)


def table(columns: Sequence[Column], rows: Iterable[Sequence[str | Cell]]) -> Table:
    """A table without lines; control characters in cells are made harmless."""
    from rich.table import Table

    made = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(
            column.title,
            justify="right" if column.right else "left",
            overflow="fold",
            no_wrap=not column.folds,
        )
    for row in rows:
        made.add_row(*(_text(cell) for cell in row))
    return made


def print_json(value: Any) -> None:
    """JSON on standard output; moments as RFC 3339 in UTC, named tuples as objects."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
    click.echo(orjson.dumps(_plain(value), option=options).decode())


def _text(cell: str | Cell) -> Text:
    from rich.text import Text

    text, style = (cell, "") if isinstance(cell, str) else cell
    return Text(printable(text), style=style)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _plain(item) for name, item in value._asdict().items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value
