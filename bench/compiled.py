"""Measuring the worker as the image has it: compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import click

from bench import build


def settings() -> Mapping[str, str]:
    """Return what a worker's environment has to say for it to be the compiled one. Raises NotBuilt."""
    return {"PYTHONPATH": str(build.compiled())}


def compiled_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the option --compiled; it gets `package`, settings of its workers."""

    @click.option("--compiled", is_flag=True, help="Measure the compiled worker, as the image has it.")
    @wraps(command)
    def wrapped(*args: Any, compiled: bool, **others: Any) -> Any:
        return command(*args, package=settings() if compiled else {}, **others)

    return wrapped
