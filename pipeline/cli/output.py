"""Results on standard output: tables and texts for people, JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import orjson

from pipeline.cli.formatting import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

#: Width in a file or pipe, where nothing is folded.
_UNFOLDED = 1000
#: A folding column is not made narrower than this.
_FOLDED = 40
_GAP = 2


class Cell(NamedTuple):
    """A table's cell with a style of rich."""

    text: str
    style: str = ""


class Column(NamedTuple):
    """A table's column; numbers stand on the right, long texts may be folded."""

    title: str
    right: bool = False
    folds: bool = False


def console(least: int = 0) -> Console:
    """Return standard output: as wide as the terminal and at least `least`; elsewhere nothing is folded.

    Colours on a terminal only.
    """
    from rich.console import Console

    out = Console(highlight=False, markup=False, emoji=False)
    out.width = max(out.width if sys.stdout.isatty() else _UNFOLDED, least)
    return out


def print_table(
    columns: Sequence[Column], rows: Iterable[Sequence[str | Cell]], *, header: bool = True, indent: int = 0
) -> None:
    """Print a table without lines; control characters in cells are escaped.

    Only columns that fold shrink on a narrow terminal, and not below _FOLDED; the terminal wraps the rest, so
    that nothing is cut off.
    """
    from rich.padding import Padding
    from rich.table import Table

    texts = [[_text(cell) for cell in row] for row in rows]
    made = Table(box=None, show_header=header, header_style="bold", pad_edge=False, padding=(0, _GAP, 0, 0))
    needed = indent
    for number, column in enumerate(columns):
        width = max([len(column.title) if header else 0, *[row[number].cell_len for row in texts]])
        least = min(width, _FOLDED) if column.folds else width
        needed += least + _GAP
        made.add_column(
            column.title,
            justify="right" if column.right else "left",
            overflow="fold",
            no_wrap=not column.folds,
            min_width=least,
        )
    for row in texts:
        made.add_row(*row)
    console(needed).print(Padding(made, (0, 0, 0, indent), expand=False))


def print_json(value: Any) -> None:
    """Print JSON on standard output; moments as RFC 3339 in UTC, named tuples as objects."""
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
