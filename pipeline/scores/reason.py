"""A reason: one thing that a score rests on."""

from __future__ import annotations

from typing import NamedTuple


class Reason(NamedTuple):
    """One thing that a score rests on: a code for programs, a text for people."""

    code: str
    text: str
