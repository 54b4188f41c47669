"""What a long step tells a person; the command line draws it, tests leave it out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Progress(Protocol):
    """Called from several threads."""

    def note(self, text: str) -> None:
        """Say something once."""

    def step(self, text: str) -> AbstractContextManager[None]:
        """Something that takes seconds; it is done when the context ends."""

    def download(self, text: str, size: int) -> AbstractContextManager[Callable[[int], None]]:
        """Return a function that gets the number of further bytes of a download of `size` bytes."""


class Silent:
    """Says nothing."""

    def note(self, text: str) -> None:
        """Leave it out."""

    def step(self, text: str) -> AbstractContextManager[None]:
        """Leave it out."""
        return nullcontext()

    def download(self, text: str, size: int) -> AbstractContextManager[Callable[[int], None]]:
        """Leave it out."""
        return nullcontext(lambda _: None)
