"""Progress of long work; the command line shows it, tests ignore it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Progress(Protocol):
    """Shows progress; called from several threads."""

    def note(self, text: str) -> None:
        """Show a message."""

    def step(self, text: str) -> AbstractContextManager[None]:
        """Show a step that takes seconds; it is done when the context ends."""

    def download(self, text: str, size: int) -> AbstractContextManager[Callable[[int], None]]:
        """Return a function that gets the number of further bytes of a download of `size` bytes."""


class Silent:
    """Shows nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""

    def step(self, text: str) -> AbstractContextManager[None]:
        """Do nothing."""
        return nullcontext()

    def download(self, text: str, size: int) -> AbstractContextManager[Callable[[int], None]]:
        """Do nothing."""
        return nullcontext(lambda _: None)
