"""The demonstration's steps on standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from pipeline.cli.progress import progress

_TELL_EVERY_S = 5.0


@contextmanager
def step(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show a step and how long it took; the function gets how much of `total` is done."""
    began = time.monotonic()
    if sys.stderr.isatty():
        with progress(what, total) as show:
            yield show
    else:
        click.echo(f"{what} …", err=True)
        yield _plain(total)
    click.echo(f"{what}: done ({time.monotonic() - began:.1f} s).", err=True)


def _plain(total: int | None) -> Callable[[int], None]:
    told = time.monotonic()

    def show(done: int) -> None:
        nonlocal told
        if time.monotonic() - told >= _TELL_EVERY_S:
            told = time.monotonic()
            click.echo(f"  {done:,}" + (f" of {total:,}" if total else ""), err=True)

    return show
