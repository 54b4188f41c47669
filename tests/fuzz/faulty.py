"""Targets that do what no target may, to see that it is noticed."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

_BAD = 700


class Faulty:
    """Takes all inputs but the seven hundredth."""

    def __init__(self, fault: Callable[[], object]) -> None:
        self._fault, self._taken = fault, 0

    def make(self, random: Random) -> bytes:
        """Two bytes."""
        return random.randbytes(2)

    def take(self, data: bytes) -> str:
        """Nothing, or the fault."""
        self._taken += 1
        if self._taken == _BAD:
            self._fault()
        return "fine"


@contextmanager
def fine() -> Iterator[Faulty]:
    """Nothing is wrong."""
    yield Faulty(lambda: None)


@contextmanager
def raising() -> Iterator[Faulty]:
    """An exception."""
    yield Faulty(lambda: {}["nothing"])


@contextmanager
def crashing() -> Iterator[Faulty]:
    """The interpreter dies."""
    yield Faulty(lambda: ctypes.string_at(0))


@contextmanager
def hanging() -> Iterator[Faulty]:
    """C code that does not return, so that no exception of a signal's would help."""
    yield Faulty(lambda: 7 ** (7**9))


@contextmanager
def greedy() -> Iterator[Faulty]:
    """Much memory, given back at once."""
    yield Faulty(lambda: b"x" * (100 * 1024 * 1024))
