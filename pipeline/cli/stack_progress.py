"""Progress of the local stack on standard error: spinners and a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

    from pipeline.local.progress import Progress

PLAIN_SECONDS = 5.0


@contextmanager
def progress_to(stream: TextIO) -> Iterator[Progress]:
    """Return the progress of long steps, shown on this stream."""
    if not stream.isatty():
        yield _Plain(stream)
        return
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[amount]}"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=Console(file=stream), transient=True) as bars:
        yield _Terminal(bars)


class _Plain:
    """Lines, for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def note(self, text: str) -> None:
        click.echo(text, file=self._stream)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        self.note(f"{text} …")
        yield

    @contextmanager
    def download(self, text: str, size: int) -> Iterator[Callable[[int], None]]:
        self.note(f"{text} ({_megabytes(size)}) …")
        lock = Lock()
        come = 0
        told = time.monotonic()

        def advance(amount: int) -> None:
            nonlocal come, told
            with lock:
                come += amount
                if time.monotonic() - told >= PLAIN_SECONDS:
                    told = time.monotonic()
                    self.note(f"  {_megabytes(come)} of {_megabytes(size)}")

        yield advance


class _Terminal:
    """Spinners and bars of rich."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars

    def note(self, text: str) -> None:
        self._bars.console.print(text, highlight=False, markup=False)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        task = self._bars.add_task(text, total=None, amount="")
        try:
            yield
        finally:
            self._bars.remove_task(task)

    @contextmanager
    def download(self, text: str, size: int) -> Iterator[Callable[[int], None]]:
        task = self._bars.add_task(text, total=size, amount=_megabytes(size))
        try:
            yield lambda amount: self._bars.advance(task, amount)
        finally:
            self._bars.remove_task(task)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
