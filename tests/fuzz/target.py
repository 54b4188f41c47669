"""What is fuzzed: something that makes inputs from a seed, and takes them."""

from __future__ import annotations

from random import Random
from typing import Protocol


class Broken(AssertionError):
    """An input broke what must hold of every input."""


class Target(Protocol):
    """Inputs are bytes, so that each can be kept in a file and tried again."""

    def make(self, random: Random) -> bytes:
        """An input; the same for the same state of `random`."""

    def take(self, data: bytes) -> str:
        """Process an input; what became of it, in a word. Anything raised is a mistake found."""


def must(holds: object, what: str) -> None:
    """Raise Broken unless something holds; not an assert, which could be turned off."""
    if not holds:
        raise Broken(what)
