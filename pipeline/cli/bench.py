"""`pipeline bench`: measurements, which come with the source and not with the installed package."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

import pipeline
from pipeline.errors import InvalidInput

_OTHERS = ("latency", "growth", "identity")


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench(arguments: tuple[str, ...]) -> None:
    """Measure a worker on servers made for it.

    Without a name: beside other engines. `latency`: from append to commit. `growth`: with more customers, journeys,
    partitions and workers. `identity`: with and without joining keys, and large changes of who is who. Each takes
    --help.
    """
    checkout = Path(pipeline.__file__).resolve().parents[1]
    if not (checkout / "bench" / "compare.py").is_file():
        raise InvalidInput(
            "The measurements are not part of the installed package. Run this from a source checkout of "
            "touchpoint-pipeline, after `make setup`, as `make bench`."
        )
    name, rest = (arguments[0], arguments[1:]) if arguments and arguments[0] in _OTHERS else ("compare", arguments)
    os.chdir(checkout)
    # In this process's place, so that signals reach it, and it has the time to stop its servers.
    os.execv(sys.executable, [sys.executable, "-m", f"bench.{name}", *rest])  # noqa: S606 - no shell is wanted
